/** The one interface through which the page reaches pools: over HTTP, or a notebook's kernel. */

import { ROOT, type Begun } from './begun';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';
export type Query = Record<string, string | number | boolean | null | undefined>;
/** What is sent: bytes as they are, anything else as JSON. */
export type Body = Blob | ArrayBuffer | Uint8Array<ArrayBuffer> | object | undefined;

export interface RequestOptions {
  query?: Query;
  body?: Body;
  /** Gives the request up; its promise is rejected with an `AbortError`. */
  signal?: AbortSignal;
  /** Is told how many bytes of the body have gone, while they go. */
  sent?: (bytes: number) => void;
}

/** An answer without error: 2xx. */
export interface Reply {
  status: number;
  /** Value of a header, '' where there is none. */
  header(name: string): string;
  json<T>(): Promise<T>;
  bytes(): Promise<ArrayBuffer>;
  blob(): Promise<Blob>;
}

/** A server-sent event: its name and what it says. */
export interface ServerEvent {
  name: string;
  data: unknown;
}

export interface Transport {
  /** Ask; `path` is relative to the root of the API, such as `results/12ab/rows`. */
  request(method: Method, path: string, options?: RequestOptions): Promise<Reply>;
  /** Listen to events; the function that is returned ends it. */
  events(listener: (event: ServerEvent) => void): () => void;
  /** Address for `<img src>` and links, or null where the channel has no addresses. */
  address(path: string, query?: Query): string | null;
}

export interface ErrorBody {
  code: string;
  message: string;
  hint?: string | null;
  column?: number | null;
  suggestions?: string[];
}

/** An error told by the server, or by the channel (`code` is then `network`). */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string;
  /** Column in the text of the query, counted from 1, where the error has one. */
  readonly column: number | null;
  readonly suggestions: string[];

  constructor(status: number, body: ErrorBody) {
    super(body.message);
    this.name = 'ApiError';
    this.status = status;
    this.code = body.code;
    this.hint = body.hint ?? '';
    this.column = body.column ?? null;
    this.suggestions = body.suggestions ?? [];
  }
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}

export function withQuery(path: string, query?: Query): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value !== null && value !== undefined) params.set(key, String(value));
  }
  const text = params.toString();
  return text ? `${path}?${text}` : path;
}

/** The error that an answer with a status of 400 and more tells. */
export function errorOf(status: number, body: unknown): ApiError {
  const told = (body as { error?: ErrorBody } | null)?.error;
  if (told && typeof told.message === 'string') return new ApiError(status, told);
  return new ApiError(status, {
    code: 'failure',
    message: `the server answered ${status}`,
    hint: 'the log of `skypool ui` says more',
  });
}

function unanswered(): ApiError {
  return new ApiError(0, {
    code: 'network',
    message: 'the server does not answer',
    hint: 'is `skypool ui` still running?',
  });
}

/** A request with bytes of which one is told how many have gone: `fetch` does not tell it. */
function uploaded(
  method: Method,
  address: string,
  body: Blob,
  sent: (bytes: number) => void,
  signal: AbortSignal | undefined,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(new DOMException('given up', 'AbortError'));
      return;
    }
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    request.open(method, address);
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    request.responseType = 'arraybuffer';
    request.upload.onprogress = (event) => sent(event.loaded);
    request.onerror = () => reject(unanswered());
    request.onabort = () => reject(new DOMException('given up', 'AbortError'));
    request.onloadend = () => signal?.removeEventListener('abort', stop);
    request.onload = () => {
      const bytes = request.response as ArrayBuffer;
      const json = () => JSON.parse(new TextDecoder().decode(bytes)) as unknown;
      const { status } = request;
      if (status >= 400) {
        reject(errorOf(status, parsed(json)));
        return;
      }
      resolve({
        status,
        header: (name) => request.getResponseHeader(name) ?? '',
        json: async <T>() => json() as T,
        bytes: () => Promise.resolve(bytes),
        blob: () => Promise.resolve(new Blob([bytes])),
      });
    };
    signal?.addEventListener('abort', stop);
    request.send(body);
  });
}

function parsed(json: () => unknown): unknown {
  try {
    return json();
  } catch {
    return null;
  }
}

const EVENT_NAMES = ['pool', 'job', 'selected', 'upload', 'received'];

/** Requests by `fetch` and server-sent events, at addresses relative to the page. */
export class HttpTransport implements Transport {
  private readonly root: string;
  private readonly begun: Begun | null;

  constructor(root = ROOT, begun: Begun | null = null) {
    this.root = root;
    this.begun = begun;
  }

  async request(method: Method, path: string, options: RequestOptions = {}): Promise<Reply> {
    const { body, query, signal, sent } = options;
    if (sent && body instanceof Blob) {
      return uploaded(method, withQuery(this.root + path, query), body, sent, signal);
    }
    const init: RequestInit = { method, credentials: 'same-origin', signal: signal ?? null };
    if (body instanceof Blob || body instanceof ArrayBuffer || body instanceof Uint8Array) {
      init.body = body;
      init.headers = { 'Content-Type': 'application/octet-stream' };
    } else if (body !== undefined) {
      init.body = JSON.stringify(body);
      init.headers = { 'Content-Type': 'application/json' };
    }
    let response: Response;
    try {
      const address = withQuery(this.root + path, query);
      response = await (this.begun?.take(method, address, init.body) ?? fetch(address, init));
    } catch (error) {
      if (isAbort(error)) throw error;
      throw unanswered();
    }
    if (!response.ok) {
      throw errorOf(response.status, await response.json().catch(() => null));
    }
    return {
      status: response.status,
      header: (name) => response.headers.get(name) ?? '',
      json: <T>() => response.json() as Promise<T>,
      bytes: () => response.arrayBuffer(),
      blob: () => response.blob(),
    };
  }

  events(listener: (event: ServerEvent) => void): () => void {
    const source = new EventSource(this.root + 'events');
    for (const name of EVENT_NAMES) {
      source.addEventListener(name, (event) => {
        listener({ name, data: JSON.parse((event as MessageEvent<string>).data) });
      });
    }
    source.onopen = () => listener({ name: 'open', data: null });
    source.onerror = () => listener({ name: 'lost', data: null });
    return () => source.close();
  }

  address(path: string, query?: Query): string {
    return withQuery(this.root + path, query);
  }
}
