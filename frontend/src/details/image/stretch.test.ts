import { describe, expect, it } from 'vitest';

import { COLOUR_MAPS, colourMap } from './colours';
import {
  colourTable,
  ENTRIES,
  entryOf,
  paint,
  rankOf,
  STRETCHES,
  stretched,
  valueAt,
  type Style,
} from './stretch';

const STYLE: Style = { stretch: 'linear', colours: 'gray', inverted: false, low: 0, high: 10 };
const gray = (pixel: number) => [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255, pixel >>> 24];

describe('stretches', () => {
  it.each(STRETCHES)('%s rises from 0 to 1', (stretch) => {
    const shares = Array.from({ length: 101 }, (_, i) => stretched(i / 100, stretch));
    expect(shares[0]).toBeCloseTo(0, 12);
    expect(shares[100]).toBeCloseTo(1, 12);
    expect(shares.every((share, i) => i === 0 || share > shares[i - 1]!)).toBe(true);
  });

  it('are those of the server', () => {
    // skypool.server.colours.stretched([0.25], 0, 1, name)
    expect(stretched(0.25, 'asinh')).toBeCloseTo(0.5494025, 5);
    expect(stretched(0.25, 'log')).toBeCloseTo(0.7997755, 5);
    expect(stretched(0.25, 'sqrt')).toBe(0.5);
  });
});

describe('ranks', () => {
  const quantiles = [0, 1, 1, 4, 100];
  it('lie between those of the quantiles', () => {
    expect(rankOf(-5, quantiles)).toBe(0);
    expect(rankOf(0.5, quantiles)).toBeCloseTo(0.125);
    expect(rankOf(4, quantiles)).toBe(0.75);
    expect(rankOf(1000, quantiles)).toBe(1);
    expect(rankOf(1, [])).toBe(0.5);
  });

  it('give values back', () => {
    for (const rank of [0, 0.1, 0.3, 0.8, 1]) {
      expect(rankOf(valueAt(rank, [0, 1, 3, 4, 100]), [0, 1, 3, 4, 100])).toBeCloseTo(rank, 12);
    }
    expect(valueAt(0.5, [])).toBe(0);
  });
});

describe('the table of colours', () => {
  it('goes from black to white, and back where it is inverted', () => {
    const table = colourTable(STYLE, []);
    expect(gray(table[0]!)).toEqual([0, 0, 0, 255]);
    expect(gray(table[ENTRIES - 1]!)).toEqual([255, 255, 255, 255]);
    const back = colourTable({ ...STYLE, inverted: true }, []);
    expect(gray(back[0]!)).toEqual([255, 255, 255, 255]);
  });

  it('gives equally many pixels to each colour for a histogram', () => {
    const values = Array.from({ length: 10000 }, (_, i) => Math.exp(i / 1000));
    const quantiles = Array.from({ length: 257 }, (_, i) => values[Math.round((i / 256) * 9999)]!);
    const low = values[0]!;
    const high = values[9999]!;
    const table = colourTable({ ...STYLE, stretch: 'histogram', low, high }, quantiles);
    const counts = new Map<number, number>();
    for (const value of values) {
      const bin = Math.floor((table[entryOf(value, low, high)]! & 255) / 32);
      counts.set(bin, (counts.get(bin) ?? 0) + 1);
    }
    for (const count of counts.values()) expect(Math.abs(count - 1250)).toBeLessThan(200);
  });
});

describe('painting', () => {
  it('puts the first row at the bottom, NaN nowhere, infinities at the ends', () => {
    const table = colourTable(STYLE, []);
    const pixels = new Uint32Array(6);
    const values = new Float32Array([0, 10, 5, NaN, Infinity, -Infinity]);
    paint(values, 2, 3, table, 0, 10, pixels);
    expect([...pixels].map((pixel) => gray(pixel)[0])).toEqual([0, 255, 0, 0, 255, 128]);
    expect([...pixels].map((pixel) => gray(pixel)[3])).toEqual([0, 255, 255, 255, 255, 255]);
  });

  it('is the entry of each value, whatever the limits', () => {
    const table = colourTable(STYLE, []);
    for (const [low, high] of [[0, 10], [3, 3], [-1e30, 1e30], [5, 1]] as const) {
      const values = new Float32Array([-2, 0, 2.5, 7, 11]);
      const pixels = new Uint32Array(5);
      paint(values, 1, 5, table, low, high, pixels);
      values.forEach((value, i) => {
        const shown = gray(pixels[i]!)[0]!;
        expect(Math.abs(shown - gray(table[entryOf(value, low, high)]!)[0]!)).toBeLessThanOrEqual(1);
      });
    }
  });
});

describe('colour maps', () => {
  // Sum of all numbers, and two of the colours, of skypool.server.colours.colour_map(name).
  const KNOWN = {
    gray: [97920, [77, 77, 77], [200, 200, 200]],
    viridis: [84593, [52, 96, 141], [113, 206, 87]],
    inferno: [80906, [108, 23, 110], [251, 156, 13]],
    heat: [97920, [231, 0, 0], [255, 255, 90]],
    cividis: [91171, [80, 88, 109], [196, 180, 104]],
    rainbow: [119678, [26, 207, 227], [255, 160, 85]],
    coolwarm: [132960, [159, 191, 254], [240, 139, 110]],
  };
  it.each(COLOUR_MAPS)('%s is that of the server', (name) => {
    const [sum, low, high] = KNOWN[name] as [number, number[], number[]];
    const found = colourMap(name);
    expect([...found.subarray(3 * 77, 3 * 77 + 3)]).toEqual(low);
    expect([...found.subarray(600, 603)]).toEqual(high);
    expect(found.reduce((total, one) => total + one, 0)).toBe(sum);
  });

  it.each(COLOUR_MAPS)('%s has 256 colours and runs both ways', (name) => {
    const there = colourMap(name);
    const back = colourMap(name, true);
    expect(there.length).toBe(768);
    expect([...back.subarray(0, 3)]).toEqual([...there.subarray(765)]);
  });
});
