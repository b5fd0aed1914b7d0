import { describe, expect, it } from 'vitest';

import { dropped, sizeOf, tops } from './files';

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
