import { describe, expect, it } from 'vitest';

import { changed, LookMemory, numbers, rangeOf, rangeText, short, staying } from './looks';

describe('a look', () => {
  it('is the same object where nothing changes', () => {
    const look = { plane: '3', sky: '1,2,3' };
    expect(changed(look, { plane: '3', cuts: '' })).toBe(look);
    expect(changed(look, { plane: '', cuts: '1..2' })).toEqual({ sky: '1,2,3', cuts: '1..2' });
  });

  it('keeps the map and the words that are looked for', () => {
    expect(staying({ plane: '3', sky: '1,2,3', find: 'a' })).toEqual({ sky: '1,2,3', find: 'a' });
  });

  it('of a tab is known until another product is left', () => {
    const memory = new LookMemory();
    const at = { ref: 'a/1', tab: 'Preview', dataset: null, against: null };
    memory.keep({ ...at, look: { plane: '3', find: 'old' } });
    const header = { ...at, tab: 'Header', look: { find: 'new' } };
    expect(memory.of(header)).toBeNull();
    expect(memory.of({ ...at, look: { find: 'new' } })).toEqual({ plane: '3', find: 'new' });
    memory.keep({ ...at, ref: 'a/2', look: {} });
    expect(memory.of({ ...at, look: {} })).toBeNull();
  });
});

describe('numbers of an address', () => {
  it.each([
    ['1,2,3', 3, [1, 2, 3]],
    ['1,2', 3, null],
    ['1,,3', 3, null],
    ['1,x,3', 3, null],
    [undefined, 1, null],
  ])('%s', (text, many, wanted) => {
    expect(numbers(text, many)).toEqual(wanted);
  });

  it('are ranges, the smaller one first', () => {
    expect(rangeOf('-0.5..3e4')).toEqual([-0.5, 3e4]);
    expect(rangeOf('3..1')).toBeNull();
    expect(rangeText([-0.5, 1 / 3])).toBe('-0.5..0.3333333');
    expect(rangeText(null)).toBe('');
    expect(short(123456789, 4)).toBe('123500000');
  });
});
