/** Requests over the channel between a notebook's widget and its kernel: messages with buffers. */

import {
  ApiError,
  errorOf,
  type Body,
  type Method,
  type Reply,
  type RequestOptions,
  type ServerEvent,
  type Transport,
} from '../lib/transport';

/** The part of anywidget's model that is used. */
export interface Model {
  get(name: string): unknown;
  send(content: object, callbacks?: unknown, buffers?: ArrayBuffer[]): void;
  on(event: string, listener: (...told: never[]) => void): void;
  off(event: string, listener: (...told: never[]) => void): void;
}

/** What the kernel sends. */
interface Told {
  kind?: string;
  id?: string;
  status?: number;
  headers?: Record<string, string>;
  length?: number;
  packed?: boolean;
  name?: string;
  data?: unknown;
}

interface Waiting {
  resolve: (reply: Reply) => void;
  reject: (error: unknown) => void;
  start: Told | null;
  parts: Uint8Array<ArrayBuffer>[];
  got: number;
  /** Goes on with sending once the kernel has taken a part. */
  taken: () => void;
}

/** Jupyter's server takes messages up to 10 MiB. */
export const PART = 4 * 2 ** 20;
const PACKING = 'deflate';

export class KernelTransport implements Transport {
  private readonly model: Model;
  private readonly waiting = new Map<string, Waiting>();
  private readonly listeners = new Map<string, (event: ServerEvent) => void>();
  private readonly welcomed = new Map<string, () => void>();
  // Several views may show one model, and all hear what is meant for one of them.
  private readonly mark = Math.random().toString(36).slice(2);
  private next = 1;

  constructor(model: Model) {
    this.model = model;
    model.on('msg:custom', this.hear as never);
    model.on('comm_live_update', this.lost);
  }

  /** Stop to listen; what still waits is given up. */
  close(): void {
    for (const id of this.listeners.keys()) this.tell({ kind: 'listen', id, on: false });
    this.listeners.clear();
    this.lost();
    this.model.off('msg:custom', this.hear as never);
    this.model.off('comm_live_update', this.lost);
  }

  /** Tell the kernel something that it does not answer. */
  tell(content: object): void {
    this.model.send(content);
  }

  /** Resolved when the kernel answers: never, where a notebook was saved and none runs. */
  hello(): Promise<void> {
    const id = this.name();
    return new Promise((resolve) => {
      this.welcomed.set(id, resolve);
      this.tell({ kind: 'hello', id });
    });
  }

  request(method: Method, path: string, options: RequestOptions = {}): Promise<Reply> {
    const { body, query, signal, sent } = options;
    const id = this.name();
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(new DOMException('given up', 'AbortError'));
        return;
      }
      const one: Waiting = { resolve, reject, start: null, parts: [], got: 0, taken: () => {} };
      this.waiting.set(id, one);
      signal?.addEventListener('abort', () => {
        if (!this.waiting.delete(id)) return;
        this.tell({ kind: 'cancel', id });
        reject(new DOMException('given up', 'AbortError'));
      });
      const start = { kind: 'request', id, method, path, query: query ?? {} };
      this.ask(start, body, one, sent).catch((error: unknown) => {
        if (this.waiting.delete(id)) reject(error);
      });
    });
  }

  events(listener: (event: ServerEvent) => void): () => void {
    const id = this.name();
    this.listeners.set(id, listener);
    this.tell({ kind: 'listen', id, on: true });
    return () => {
      if (this.listeners.delete(id)) this.tell({ kind: 'listen', id, on: false });
    };
  }

  /** Nothing in a notebook has an address. */
  address(): null {
    return null;
  }

  private name(): string {
    return `${this.mark}-${this.next++}`;
  }

  private async ask(
    start: { id: string },
    body: Body,
    one: Waiting,
    tell: (bytes: number) => void = () => undefined,
  ): Promise<void> {
    const raw = raws(body);
    if (raw === null) {
      this.tell({ ...start, body: body ?? null });
      return;
    }
    // A file is read as it goes: it may be larger than what a page has room for.
    let gone = Math.min(PART, raw.size);
    const more = gone < raw.size;
    const first = await raw.part(0, gone);
    if (!this.waiting.has(start.id)) return;
    this.model.send({ ...start, body: null, more }, undefined, [first]);
    while (gone < raw.size) {
      await new Promise<void>((resolve) => (one.taken = resolve));
      if (!this.waiting.has(start.id)) return;
      tell(gone);
      const end = Math.min(gone + PART, raw.size);
      const last = end === raw.size;
      const part = await raw.part(gone, end);
      if (!this.waiting.has(start.id)) return;
      this.model.send({ kind: 'part', id: start.id, last }, undefined, [part]);
      gone = end;
    }
  }

  private readonly hear = (told: Told, buffers: DataView[] = []): void => {
    if (told.kind === 'event') {
      const event = { name: told.name ?? '', data: told.data };
      for (const listener of this.listeners.values()) listener(event);
      return;
    }
    const id = told.id ?? '';
    if (told.kind === 'welcome') {
      this.welcomed.get(id)?.();
      this.welcomed.delete(id);
      return;
    }
    const one = this.waiting.get(id);
    if (!one) return;
    if (told.kind === 'ack') one.taken();
    else if (told.kind === 'answer' || told.kind === 'part') this.add(id, one, told, buffers);
  };

  private add(id: string, one: Waiting, told: Told, buffers: DataView[]): void {
    if (told.kind === 'answer') one.start = told;
    for (const view of buffers) {
      // Copied: the view may be of a larger message that nobody needs any more.
      const part = new Uint8Array(view.byteLength);
      part.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
      one.parts.push(part);
      one.got += part.length;
    }
    if (!one.start || one.got < (one.start.length ?? 0)) return;
    this.waiting.delete(id);
    finish(one.start, one.parts).then(one.resolve, one.reject);
  }

  private readonly lost = (): void => {
    const error = new ApiError(0, {
      code: 'network',
      message: 'the kernel of the notebook does not answer',
      hint: 'run the cell again',
    });
    for (const one of this.waiting.values()) {
      one.taken();
      one.reject(error);
    }
    this.waiting.clear();
    for (const listener of this.listeners.values()) listener({ name: 'lost', data: null });
  };
}

interface Raw {
  size: number;
  part(from: number, to: number): ArrayBuffer | Promise<ArrayBuffer>;
}

/** The bytes of a body, null for what is sent as JSON. */
function raws(body: Body): Raw | null {
  if (body instanceof Blob) {
    return { size: body.size, part: (from, to) => body.slice(from, to).arrayBuffer() };
  }
  if (body instanceof ArrayBuffer) {
    return { size: body.byteLength, part: (from, to) => body.slice(from, to) };
  }
  if (body instanceof Uint8Array) {
    const { buffer, byteOffset, byteLength } = body;
    return {
      size: byteLength,
      part: (from, to) => buffer.slice(byteOffset + from, byteOffset + to),
    };
  }
  return null;
}

async function finish(start: Told, parts: Uint8Array<ArrayBuffer>[]): Promise<Reply> {
  let blob = new Blob(parts);
  if (start.packed) {
    const stream = blob.stream().pipeThrough(new DecompressionStream(PACKING));
    blob = await new Response(stream).blob();
  }
  const status = start.status ?? 500;
  const header = (name: string) => start.headers?.[name.toLowerCase()] ?? '';
  if (status >= 400) throw errorOf(status, await json(blob));
  const typed = new Blob([blob], { type: header('content-type') });
  return {
    status,
    header,
    json: async <T>() => JSON.parse(await blob.text()) as T,
    bytes: () => blob.arrayBuffer(),
    blob: () => Promise.resolve(typed),
  };
}

async function json(blob: Blob): Promise<unknown> {
  try {
    return JSON.parse(await blob.text());
  } catch {
    return null;
  }
}
