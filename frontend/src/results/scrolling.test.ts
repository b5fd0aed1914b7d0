import { describe, expect, it } from 'vitest';

import { CAP, Scroller, wheelPixels } from './scrolling';

function scroller(rows: number, row = 26, sight = 600): Scroller {
  const made = new Scroller();
  made.resize({ rows, row, sight });
  return made;
}

describe('few rows', () => {
  it('are not scaled', () => {
    const few = scroller(1000);
    expect(few.height).toBe(26_000);
    expect(few.scale).toBe(1);
    few.scrolled(520);
    expect(few.window).toEqual([20, 43]);
  });

  it('that all are in sight do not scroll', () => {
    const few = scroller(3);
    few.by(1000);
    expect(few.top).toBe(0);
    expect(few.window).toEqual([0, 2]);
  });

  it('may be none', () => {
    const none = scroller(0);
    expect(none.window).toEqual([0, -1]);
    none.reveal(0);
    expect(none.top).toBe(0);
  });
});

describe.each([1_000_000, 250_000, 20_000_000])('%i rows', (rows) => {
  it('make an element that every browser can draw', () => {
    expect(scroller(rows).height).toBe(CAP);
  });

  it('are reached from the first to the last by the scroll bar', () => {
    const many = scroller(rows);
    many.scrolled(CAP - 600);
    expect(many.window[1]).toBe(rows - 1);
    expect(many.top).toBe(many.reach);
    many.scrolled(CAP / 2);
    expect(Math.abs(many.window[0] / rows - 0.5)).toBeLessThan(0.001);
    many.scrolled(0);
    expect(many.window[0]).toBe(0);
  });

  it('move by true pixels with the wheel', () => {
    const many = scroller(rows);
    for (let i = 0; i < 1000; i++) {
      const before = many.top;
      many.by(30);
      expect(many.top - before).toBe(30);
    }
    expect(many.top).toBe(30_000);
  });

  it('move by true pixels with touch, which scrolls the element itself', () => {
    const many = scroller(rows);
    many.to(many.reach / 2);
    const { top, bar } = many;
    for (let i = 1; i <= 50; i++) many.scrolled(bar + i * 7);
    expect(many.top - top).toBeCloseTo(350, 6);
  });

  it('are each brought into sight', () => {
    const many = scroller(rows);
    for (const index of [rows - 1, 0, Math.floor(rows / 3), 17, rows - 2]) {
      many.reveal(index);
      const [first, last] = many.window;
      expect(first).toBeLessThanOrEqual(index);
      expect(last).toBeGreaterThanOrEqual(index);
      expect(index * 26).toBeGreaterThanOrEqual(many.top);
      expect((index + 1) * 26).toBeLessThanOrEqual(many.top + 600);
    }
  });
});

describe('the scroller', () => {
  it('stays at its row when the height of rows changes', () => {
    const many = scroller(1_000_000);
    many.to(26 * 123_456);
    many.resize({ rows: 1_000_000, row: 32, sight: 900 });
    expect(many.window[0]).toBe(123_456);
  });

  it('stays in reach when rows go', () => {
    const many = scroller(1_000_000);
    many.to(many.reach);
    many.resize({ rows: 100, row: 26, sight: 600 });
    expect(many.top).toBe(2000);
    expect(many.window[1]).toBe(99);
  });

  it('ignores the echo of its own moves', () => {
    const many = scroller(1_000_000);
    many.by(333);
    const { top } = many;
    many.scrolled(many.bar);
    expect(many.top).toBe(top);
  });

  it('knows lines and pages of wheels', () => {
    expect(wheelPixels({ deltaY: 3, deltaMode: 1 }, 26, 600)).toBe(78);
    expect(wheelPixels({ deltaY: -1, deltaMode: 2 }, 26, 600)).toBe(-600);
    expect(wheelPixels({ deltaY: 100, deltaMode: 0 }, 26, 600)).toBe(100);
  });
});
