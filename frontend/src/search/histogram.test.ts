import { describe, expect, it } from 'vitest';

import type { Histogram } from '../lib/types';
import { bars, brushed, edgeText, shaded, typedEnd } from './histogram';

const NUMBERS: Histogram = {
  edges: [0, 10, 20, 30, 40],
  counts: [4, 0, 1, 1000],
  missing: 2,
  unit: 'um',
  time: false,
};
const TIMES: Histogram = {
  edges: ['2009-01-01T00:00:00', '2010-01-01T00:00:00', '2011-01-01T00:00:00'],
  counts: [5, 10],
  missing: 0,
  unit: null,
  time: true,
};

describe('bars', () => {
  it('are as high as their counts, and never vanish', () => {
    const drawn = bars(NUMBERS, 50);
    expect(drawn.map((bar) => bar.height)).toEqual([1, 0, 1, 50]);
    expect(drawn.map((bar) => bar.x)).toEqual([0, 25, 50, 75]);
    expect(drawn[2]?.label).toBe('20 to 30');
  });
  it('of times have dates', () => {
    expect(bars(TIMES, 10)[0]?.label).toBe('2009-01-01 to 2010-01-01');
    expect(edgeText(Date.UTC(2009, 8, 25, 6, 30), true, 3600)).toBe('2009-09-25T06:30:00');
  });
  it('of one value stand', () => {
    const one = { ...NUMBERS, edges: [7, 7], counts: [3] };
    expect(bars(one, 10)).toHaveLength(1);
    expect(bars(one, 10)[0]?.width).toBeGreaterThan(0);
  });
});

describe('a brush', () => {
  it('takes whole bars', () => {
    expect(brushed(NUMBERS, 30, 60)).toEqual({ min: 10, max: 30 });
    expect(brushed(NUMBERS, 60, 30)).toEqual({ min: 10, max: 30 });
    expect(brushed(NUMBERS, 80, 80)).toEqual({ min: 30, max: 40 });
    expect(brushed(NUMBERS, -5, 120)).toEqual({ min: 0, max: 40 });
    expect(brushed(NUMBERS, 25, 50)).toEqual({ min: 10, max: 20 });
  });
  it('of times gives times', () => {
    expect(brushed(TIMES, 60, 90)).toEqual({
      min: '2010-01-01T00:00:00',
      max: '2011-01-01T00:00:00',
    });
  });
  it('is shown where the filter is', () => {
    expect(shaded(NUMBERS, { key: 'a', min: 10, max: 30 })).toEqual([25, 50]);
    expect(shaded(NUMBERS, { key: 'a', max: 20 })).toEqual([0, 50]);
    expect(shaded(NUMBERS, { key: 'a', min: 35, max: 90 })).toEqual([87.5, 12.5]);
    expect(shaded(NUMBERS, { key: 'a', values: [1] })).toBeNull();
    expect(shaded(NUMBERS, undefined)).toBeNull();
  });
});

describe('an end that is typed', () => {
  it('is a number, a time, or nothing', () => {
    expect(typedEnd(' 12.5 ', false)).toBe(12.5);
    expect(typedEnd('0', false)).toBe(0);
    expect(typedEnd('2009', true)).toBe('2009');
    expect(typedEnd('0.1 mm', false)).toBe('0.1 mm');
    expect(typedEnd('  ', false)).toBeUndefined();
  });
});
