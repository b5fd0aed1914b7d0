import { describe, expect, it } from 'vitest';

import type { Api } from '../lib/api';
import { ApiError } from '../lib/transport';
import type { Picked } from './files';
import { Sending } from './sending';

/** A server that takes files when it is told to. */
class Server {
  readonly calls: string[] = [];
  readonly refused = new Set<string>();
  readonly held = new Map<string, { sent: (bytes: number) => void; done: () => void }>();
  hold = false;

  readonly api = {
    post: (path: string) => {
      this.calls.push(`POST ${path}`);
      return Promise.resolve({ upload: 'u1' });
    },
    upload: (path: string, _: Blob, sent: (bytes: number) => void, signal: AbortSignal) => {
      this.calls.push(`PUT ${path}`);
      const name = path.split('/').at(-1) as string;
      if (this.refused.has(name)) {
        return Promise.reject(new ApiError(400, { code: 'usage', message: 'no', hint: 'why' }));
      }
      if (!this.hold) return Promise.resolve();
      return new Promise<void>((resolve, reject) => {
        this.held.set(name, { sent, done: resolve });
        signal.addEventListener('abort', () => reject(new DOMException('', 'AbortError')));
      });
    },
    delete: (path: string) => {
      this.calls.push(`DELETE ${path}`);
      return Promise.resolve();
    },
  } as unknown as Api;
}

const picked = (...names: string[]): Picked[] =>
  names.map((name) => ({ path: name, file: new File(['four'], name) }));

async function settled(): Promise<void> {
  for (let i = 0; i < 30; i++) await Promise.resolve();
}

describe('sending', () => {
  it('sends each file once, under its path, and tells how far each is', async () => {
    const server = new Server();
    server.hold = true;
    const sending = new Sending(server.api, picked('a b/c#d.fits', '1', '2', '3'));
    const run = sending.run();
    await settled();
    expect(server.calls).toEqual([
      'POST uploads',
      'PUT uploads/u1/files/a%20b/c%23d.fits',
      'PUT uploads/u1/files/1',
      'PUT uploads/u1/files/2',
    ]);
    server.held.get('1')?.sent(3);
    expect(sending.files.map((one) => [one.state, one.bytes])).toEqual([
      ['sending', 0], ['sending', 3], ['sending', 0], ['waiting', 0],
    ]); // prettier-ignore
    expect([sending.bytes, sending.total]).toEqual([3, 16]);
    server.hold = false;
    for (const one of server.held.values()) one.done();
    expect(await run).toBe('u1');
    expect([sending.bytes, sending.state]).toEqual([16, 'sent']);
  });

  it('goes on without a file that is left out, and removes it where it had come', async () => {
    const server = new Server();
    server.hold = true;
    const sending = new Sending(server.api, picked('1', '2', '3', '4'));
    const run = sending.run();
    await settled();
    sending.leaveOut(sending.files[0]!);
    sending.leaveOut(sending.files[3]!);
    for (const one of server.held.values()) one.done();
    expect(await run).toBe('u1');
    expect(server.calls.filter((call) => call.startsWith('DELETE'))).toEqual([
      'DELETE uploads/u1/files/1',
    ]);
    expect(server.calls).not.toContain('PUT uploads/u1/files/4');
    expect(sending.total).toBe(8);
  });

  it('asks what becomes of files that fail', async () => {
    const server = new Server();
    server.refused.add('2');
    const sending = new Sending(server.api, picked('1', '2', '3'));
    expect(await sending.run()).toBeNull();
    expect(sending.state).toBe('stopped');
    expect(sending.files.map((one) => one.state)).toEqual(['sent', 'failed', 'sent']);
    expect(sending.files[1]?.problem).toBe('no; why');
    server.refused.clear();
    expect(await sending.again()).toBe('u1');
    expect(server.calls.filter((call) => call.startsWith('PUT'))).toHaveLength(4);

    const other = new Server();
    other.refused.add('1');
    const second = new Sending(other.api, picked('1', '2'));
    await second.run();
    expect(await second.without()).toBe('u1');
    expect(second.files.map((one) => one.state)).toEqual(['left out', 'sent']);
  });

  it('does not try all of many files where none can be sent', async () => {
    const server = new Server();
    const names = Array.from({ length: 1000 }, (_, i) => String(i));
    names.forEach((name) => server.refused.add(name));
    const sending = new Sending(server.api, picked(...names));
    await sending.run();
    expect(server.calls.length).toBeLessThan(10);
    expect(sending.state).toBe('stopped');
    expect(sending.listed.files.length + sending.listed.others).toBe(1000);
    expect(await sending.without()).toBeNull();
    expect(server.calls.at(-1)).toBe('DELETE uploads/u1');
  });

  it('leaves nothing on the server when it is given up', async () => {
    const server = new Server();
    server.hold = true;
    const sending = new Sending(server.api, picked('1', '2'));
    const run = sending.run();
    await settled();
    await sending.cancel();
    expect(await run).toBeNull();
    expect(server.calls.at(-1)).toBe('DELETE uploads/u1');
    expect(sending.state).toBe('given up');
  });
});
