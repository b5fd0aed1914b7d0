import { deflateSync } from 'node:zlib';

import { describe, expect, it } from 'vitest';

import { ApiError } from '../lib/transport';
import { KernelTransport, PART } from './transport';

type Message = Record<string, unknown> & { id: string; kind: string };

/** A model of anywidget whose other end is the test. */
class Kernel {
  readonly got: { content: Message; buffers: ArrayBuffer[] }[] = [];
  private readonly listeners = new Map<string, Set<(...told: unknown[]) => void>>();

  get(): unknown {
    return undefined;
  }

  send(content: object, _callbacks?: unknown, buffers: ArrayBuffer[] = []): void {
    this.got.push({ content: content as Message, buffers });
  }

  on(event: string, listener: (...told: never[]) => void): void {
    const set = this.listeners.get(event) ?? new Set();
    set.add(listener as (...told: unknown[]) => void);
    this.listeners.set(event, set);
  }

  off(event: string, listener: (...told: never[]) => void): void {
    this.listeners.get(event)?.delete(listener as (...told: unknown[]) => void);
  }

  tell(event: string, ...told: unknown[]): void {
    for (const listener of [...(this.listeners.get(event) ?? [])]) listener(...told);
  }

  answer(id: string, status: number, bytes: Uint8Array, more: object = {}, parts = 1): void {
    const headers = { 'content-type': 'application/json', 'x-shape': '2,3' };
    const start = { kind: 'answer', id, status, headers, length: bytes.length, ...more };
    const size = Math.ceil(bytes.length / parts) || 1;
    const views = Array.from({ length: parts }, (_, i) => {
      // Buffers are views into larger messages.
      const part = bytes.slice(i * size, (i + 1) * size);
      const large = new Uint8Array(part.length + 8);
      large.set(part, 8);
      return new DataView(large.buffer, 8);
    });
    views.forEach((view, i) => this.tell('msg:custom', i ? { kind: 'part', id } : start, [view]));
  }

  get last(): Message {
    const found = this.got.at(-1);
    if (!found) throw new Error('nothing was sent');
    return found.content;
  }
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

describe('the transport of notebooks', () => {
  it('asks and takes the answer', async () => {
    const kernel = new Kernel();
    const transport = new KernelTransport(kernel);
    const reply = transport.request('POST', 'results', { query: { a: 1 }, body: { query: 'x' } });
    await settle();
    expect(kernel.last).toMatchObject({
      kind: 'request',
      method: 'POST',
      path: 'results',
      query: { a: 1 },
      body: { query: 'x' },
    });
    kernel.answer(kernel.last.id, 200, json({ total: 3 }));
    expect((await reply).header('X-Shape')).toBe('2,3');
    expect(await (await reply).json()).toEqual({ total: 3 });
    expect((await (await reply).blob()).type).toBe('application/json');
  });

  it('puts parts together, and unpacks', async () => {
    const kernel = new Kernel();
    const transport = new KernelTransport(kernel);
    const value = Array.from({ length: 5000 }, (_, i) => i);
    const reply = transport.request('GET', 'rows');
    await settle();
    const packed = new Uint8Array(deflateSync(json(value)));
    kernel.answer(kernel.last.id, 200, packed, { packed: true }, 3);
    expect(await (await reply).json()).toEqual(value);
  });

  it('gives bytes as they are', async () => {
    const kernel = new Kernel();
    const reply = new KernelTransport(kernel).request('GET', 'tile');
    await settle();
    kernel.answer(kernel.last.id, 200, new Uint8Array([1, 2, 3]));
    expect([...new Uint8Array(await (await reply).bytes())]).toEqual([1, 2, 3]);
  });

  it('takes an empty answer', async () => {
    const kernel = new Kernel();
    const reply = new KernelTransport(kernel).request('GET', 'thumbnail');
    await settle();
    kernel.answer(kernel.last.id, 204, new Uint8Array());
    expect((await reply).status).toBe(204);
    expect((await (await reply).bytes()).byteLength).toBe(0);
  });

  it('tells errors as the server does', async () => {
    const kernel = new Kernel();
    const reply = new KernelTransport(kernel).request('GET', 'results');
    await settle();
    const error = { code: 'query', message: 'what is that', hint: 'write it', column: 4 };
    kernel.answer(kernel.last.id, 422, json({ error }));
    await expect(reply).rejects.toMatchObject({ status: 422, code: 'query', column: 4 });
    await expect(reply).rejects.toBeInstanceOf(ApiError);
  });

  it('sends large bodies in parts, one when the kernel has taken the other', async () => {
    const kernel = new Kernel();
    const body = new Uint8Array(PART * 2 + 10).fill(7);
    const reply = new KernelTransport(kernel).request('PUT', 'uploads/1/files/a', { body });
    await settle();
    expect(kernel.got).toHaveLength(1);
    expect(kernel.last).toMatchObject({ kind: 'request', body: null, more: true });
    const id = kernel.last.id;
    for (const last of [false, true]) {
      kernel.tell('msg:custom', { kind: 'ack', id }, []);
      await settle();
      expect(kernel.last).toEqual({ kind: 'part', id, last });
    }
    const sizes = kernel.got.map((one) => one.buffers[0]?.byteLength);
    expect(sizes).toEqual([PART, PART, 10]);
    kernel.answer(id, 200, json({}));
    expect((await reply).status).toBe(200);
  });

  it('gives up', async () => {
    const kernel = new Kernel();
    const transport = new KernelTransport(kernel);
    const controller = new AbortController();
    const reply = transport.request('GET', 'rows', { signal: controller.signal });
    await settle();
    const id = kernel.last.id;
    controller.abort();
    await expect(reply).rejects.toMatchObject({ name: 'AbortError' });
    expect(kernel.last).toEqual({ kind: 'cancel', id });
    kernel.answer(id, 200, json({}));
    const late = transport.request('GET', 'rows', { signal: controller.signal });
    await expect(late).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('hears events, and that the kernel is gone', async () => {
    const kernel = new Kernel();
    const transport = new KernelTransport(kernel);
    const heard: unknown[] = [];
    const end = transport.events((event) => heard.push(event));
    expect(kernel.last).toMatchObject({ kind: 'listen', on: true });
    kernel.tell('msg:custom', { kind: 'event', name: 'pool', data: { new: 2 } });
    const reply = transport.request('GET', 'pools');
    kernel.tell('comm_live_update');
    await expect(reply).rejects.toMatchObject({ code: 'network' });
    expect(heard).toEqual([
      { name: 'pool', data: { new: 2 } },
      { name: 'lost', data: null },
    ]);
    end();
    expect(kernel.last).toMatchObject({ kind: 'listen', on: false });
  });

  it('waits for the kernel', async () => {
    const kernel = new Kernel();
    const transport = new KernelTransport(kernel);
    let there = false;
    const hello = transport.hello().then(() => (there = true));
    await settle();
    expect(there).toBe(false);
    kernel.tell('msg:custom', { kind: 'welcome', id: kernel.last.id });
    await hello;
    expect(there).toBe(true);
  });

  it('leaves alone what is meant for another view of the same model', async () => {
    const kernel = new Kernel();
    const [one, two] = [new KernelTransport(kernel), new KernelTransport(kernel)];
    const first = one.request('GET', 'a');
    await settle();
    const mine = kernel.last.id;
    const second = two.request('GET', 'b');
    await settle();
    expect(kernel.last.id).not.toBe(mine);
    kernel.answer(kernel.last.id, 200, json('b'));
    kernel.answer(mine, 200, json('a'));
    expect(await (await first).json()).toBe('a');
    expect(await (await second).json()).toBe('b');
    expect(one.address()).toBeNull();
    one.close();
  });
});
