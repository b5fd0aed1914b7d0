import { describe, expect, it } from 'vitest';

import type { Level } from '../data';
import { fitted, levelFor, panned, pixelAt, tilesIn, toImage, toScreen, zoomed } from './viewport';

const IMAGE = { width: 4096, height: 2000 };
const SIZE = { width: 800, height: 600 };
const LEVELS: Level[] = [0, 1, 2, 3, 4].map((level) => {
  const step = 2 ** level;
  return { level, step, shape: [Math.ceil(2000 / step), Math.ceil(4096 / step)] };
});

describe('the viewport', () => {
  it('shows all of the image in the middle', () => {
    const view = fitted(IMAGE, SIZE);
    expect(view.scale).toBeCloseTo(800 / 4096);
    expect(toScreen(-0.5, 999.5, view, SIZE)).toEqual({ x: 0, y: 300 });
    expect(toScreen(4095.5, 999.5, view, SIZE).x).toBeCloseTo(800);
  });

  it('has the first row at the bottom', () => {
    const view = { x: 10, y: 10, scale: 4 };
    expect(toImage(400, 300, view, SIZE)).toEqual({ x: 10, y: 10 });
    expect(toImage(400, 280, view, SIZE)).toEqual({ x: 10, y: 15 });
  });

  it('keeps the point that it zooms at', () => {
    const view = fitted(IMAGE, SIZE);
    const at = { x: 123, y: 456 };
    const before = toImage(at.x, at.y, view, SIZE);
    const after = zoomed(view, 3, SIZE, 0.01, at);
    expect(toImage(at.x, at.y, after, SIZE).x).toBeCloseTo(before.x);
    expect(toImage(at.x, at.y, after, SIZE).y).toBeCloseTo(before.y);
  });

  it('zooms within bounds, and pans within the image', () => {
    const view = fitted(IMAGE, SIZE);
    expect(zoomed(view, 1e9, SIZE, 0.05).scale).toBe(64);
    expect(zoomed(view, 1e-9, SIZE, 0.05).scale).toBe(0.05);
    expect(panned(view, 1e9, 0, IMAGE).x).toBe(-0.5);
    expect(panned(view, 0, 1e9, IMAGE).y).toBe(1999.5);
  });

  it('finds the pixel under a point', () => {
    const view = { x: 0, y: 0, scale: 10 };
    expect(pixelAt(400, 300, view, SIZE, IMAGE)).toEqual({ x: 0, y: 0 });
    expect(pixelAt(404.9, 295.1, view, SIZE, IMAGE)).toEqual({ x: 0, y: 0 });
    expect(pixelAt(405.1, 300, view, SIZE, IMAGE)).toEqual({ x: 1, y: 0 });
    expect(pixelAt(394, 300, view, SIZE, IMAGE)).toBeNull();
  });

  it('takes the level whose pixels are no larger than those of the screen', () => {
    expect(levelFor(800 / 4096, 1, LEVELS)).toBe(2);
    expect(levelFor(800 / 4096, 2, LEVELS)).toBe(1);
    expect(levelFor(0.25, 1, LEVELS)).toBe(2);
    expect(levelFor(5, 1, LEVELS)).toBe(0);
    expect(levelFor(0.0001, 1, LEVELS)).toBe(4);
  });

  it('asks for the tiles that are seen, from the middle', () => {
    const all = tilesIn(fitted(IMAGE, SIZE), SIZE, LEVELS[2]!, 256);
    expect(all.length).toBe(2 * 4);
    const near = tilesIn({ x: 1000, y: 1000, scale: 1 }, SIZE, LEVELS[0]!, 256);
    expect(near[0]).toEqual({ level: 0, row: 3, column: 3 });
    expect(near.every(({ row, column }) => row >= 2 && row <= 5 && column >= 2 && column <= 5)).toBe(
      true,
    );
    const corner = tilesIn({ x: 0, y: 0, scale: 1 }, SIZE, LEVELS[0]!, 256);
    expect(Math.min(...corner.map(({ row }) => row))).toBe(0);
  });
});
