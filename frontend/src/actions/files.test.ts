import { describe, expect, it } from 'vitest';

import type { Api } from '../lib/api';
import { dropped, send, sizeOf, tops, type Picked } from './files';

const file = (name: string, text = 'x') => new File([text], name);

function fileEntry(name: string): unknown {
  return {
    name,
    isFile: true,
    file: (done: (file: File) => void) => done(file(name)),
  };
}

function folderEntry(name: string, inside: unknown[]): unknown {
  const parts = [inside.slice(0, 1), inside.slice(1), []];
  return {
    name,
    isFile: false,
    createReader: () => ({
      readEntries: (done: (found: unknown[]) => void) => done(parts.shift() ?? []),
    }),
  };
}

const item = (entry: unknown) => ({
  kind: 'file',
  webkitGetAsEntry: () => entry,
  getAsFile: () => file('as file.txt'),
});

describe('what is dropped', () => {
  it('is walked through, folders in their parts', async () => {
    const inner = folderEntry('level2', [fileEntry('PSW.fits'), fileEntry('PMW.fits')]);
    const outer = folderEntry('1342182452', [inner, fileEntry('notes.txt')]);
    const data = { items: [item(outer), item(null), { kind: 'string' }] };
    const found = await dropped(data as unknown as DataTransfer);
    expect(found.map((one) => one.path)).toEqual([
      '1342182452/level2/PSW.fits',
      '1342182452/level2/PMW.fits',
      '1342182452/notes.txt',
      'as file.txt',
    ]);
    expect(tops(found)).toEqual(['1342182452', 'as file.txt']);
    expect(sizeOf(found)).toBe(4);
  });
});

function fakeApi(failing = ''): { api: Api; calls: string[] } {
  const calls: string[] = [];
  const api = {
    post: (path: string) => {
      calls.push(`POST ${path}`);
      return Promise.resolve({ upload: 'u1' });
    },
    put: (path: string) => {
      calls.push(`PUT ${path}`);
      return failing && path.includes(failing) ? Promise.reject(new Error('no')) : Promise.resolve();
    },
    delete: (path: string) => {
      calls.push(`DELETE ${path}`);
      return Promise.resolve();
    },
  };
  return { api: api as unknown as Api, calls };
}

describe('sending', () => {
  const picked: Picked[] = [
    { path: 'a b/c#d.fits', file: file('c#d.fits', 'four') },
    { path: 'e.txt', file: file('e.txt', 'ab') },
  ];

  it('sends each file once, under its path, and tells how far it is', async () => {
    const { api, calls } = fakeApi();
    const told: number[] = [];
    const upload = await send(api, picked, (sent) => told.push(sent.bytes), new AbortController().signal);
    expect(upload).toBe('u1');
    expect(calls).toEqual([
      'POST uploads',
      'PUT uploads/u1/files/a%20b/c%23d.fits',
      'PUT uploads/u1/files/e.txt',
    ]);
    expect(told.at(-1)).toBe(6);
  });

  it('leaves nothing on the server when it fails or is given up', async () => {
    const { api, calls } = fakeApi('e.txt');
    await expect(send(api, picked, () => undefined, new AbortController().signal)).rejects.toThrow();
    expect(calls.at(-1)).toBe('DELETE uploads/u1');
    const given = new AbortController();
    given.abort();
    const other = fakeApi();
    await expect(send(other.api, picked, () => undefined, given.signal)).rejects.toThrow();
    expect(other.calls.at(-1)).toBe('DELETE uploads/u1');
  });
});
