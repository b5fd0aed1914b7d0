import { describe, expect, it, vi } from 'vitest';

import { PAGE, Pages, type Load } from './pages';
import type { Row } from './types';

interface Asked {
  start: number;
  count: number;
  signal: AbortSignal;
  answer: () => void;
}

function stage() {
  const asked: Asked[] = [];
  const load: Load = (start, count, signal) =>
    new Promise((resolve, reject) => {
      const rows = Array.from({ length: count }, (_, i) => [`p/${start + i}`] as Row);
      signal.addEventListener('abort', () => reject(new DOMException('', 'AbortError')));
      asked.push({ start, count, signal, answer: () => resolve(rows) });
    });
  const arrived = vi.fn();
  const failed = vi.fn();
  return { asked, load, arrived, failed };
}

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await Promise.resolve();
}

function rows(count: number): Row[] {
  return Array.from({ length: count }, (_, i) => [`p/${i}`] as Row);
}

describe('pages', () => {
  it('begin with what came with the result, as far as pages are whole', () => {
    const { asked, load, arrived, failed } = stage();
    const pages = new Pages({ load, arrived, failed });
    pages.begin(rows(PAGE + 10), 1000);
    expect(pages.row(PAGE - 1)).toEqual([`p/${PAGE - 1}`]);
    expect(pages.row(PAGE)).toBeUndefined();
    pages.want(0, PAGE + 1);
    expect(asked.map((one) => [one.start, one.count])).toEqual([[PAGE, PAGE]]);
    const few = new Pages({ load, arrived, failed });
    few.begin(rows(PAGE + 10), PAGE + 10);
    few.want(0, PAGE + 9);
    expect(few.row(PAGE + 9)).toBeDefined();
    expect(asked.length).toBe(1);
  });

  it('load what is looked at, once', async () => {
    const { asked, load, arrived, failed } = stage();
    const pages = new Pages({ load, arrived, failed });
    pages.want(PAGE - 10, PAGE + 10);
    pages.want(PAGE - 5, PAGE + 20);
    expect(asked.map((one) => [one.start, one.count])).toEqual([[0, 2 * PAGE]]);
    asked.forEach((one) => one.answer());
    await settle();
    expect(pages.row(PAGE - 1)).toEqual([`p/${PAGE - 1}`]);
    expect(pages.row(PAGE + 20)).toEqual([`p/${PAGE + 20}`]);
    expect(pages.row(2 * PAGE)).toBeUndefined();
    expect(arrived).toHaveBeenCalledTimes(1);
    pages.want(0, 2 * PAGE - 1);
    expect(asked.length).toBe(1);
    pages.want(PAGE, 3 * PAGE);
    expect(asked.map((one) => one.start)).toEqual([0, 2 * PAGE]);
  });

  it('stay under way while any of them is looked at', () => {
    const { asked, load, arrived, failed } = stage();
    const pages = new Pages({ load, arrived, failed });
    pages.want(0, 2 * PAGE - 1);
    pages.want(PAGE, 2 * PAGE);
    expect(asked.map((one) => one.signal.aborted)).toEqual([false, false]);
    pages.want(2 * PAGE, 2 * PAGE + 1);
    expect(asked.map((one) => one.signal.aborted)).toEqual([true, false]);
    expect(asked.length).toBe(2);
  });

  it('give up what was scrolled past', async () => {
    const { asked, load, arrived, failed } = stage();
    const pages = new Pages({ load, arrived, failed });
    for (let first = 0; first < 100_000; first += 1000) pages.want(first, first + 30);
    expect(asked.filter((one) => !one.signal.aborted).map((one) => one.start)).toEqual([99_000]);
    asked.at(-1)?.answer();
    await settle();
    expect(pages.row(99_000)).toEqual(['p/99000']);
    expect(failed).not.toHaveBeenCalled();
    expect(arrived).toHaveBeenCalledTimes(1);
  });

  it('ask for few pages at a time', async () => {
    const { asked, load, arrived, failed } = stage();
    const pages = new Pages({ load, arrived, failed, abreast: 2 });
    pages.want(0, 10 * PAGE - 1);
    expect(asked.map((one) => one.count)).toEqual([4 * PAGE, 4 * PAGE]);
    asked[0]?.answer();
    await settle();
    expect(asked.map((one) => one.start)).toEqual([0, 4 * PAGE, 8 * PAGE]);
  });

  it('forget the oldest', async () => {
    const { asked, load, arrived, failed } = stage();
    const pages = new Pages({ load, arrived, failed, keep: 2 });
    for (const first of [0, PAGE, 2 * PAGE]) {
      pages.want(first, first + 10);
      asked.at(-1)?.answer();
      await settle();
    }
    expect(pages.row(0)).toBeUndefined();
    expect(pages.row(PAGE)).toBeDefined();
    expect(pages.row(2 * PAGE)).toBeDefined();
  });

  it('tell failures, and can be asked again', async () => {
    let broken = true;
    const load: Load = (start) =>
      broken ? Promise.reject(new Error('gone')) : Promise.resolve([[`p/${start}`]]);
    const failed = vi.fn();
    const pages = new Pages({ load, arrived: vi.fn(), failed });
    pages.want(0, 10);
    await settle();
    expect(failed).toHaveBeenCalledTimes(1);
    broken = false;
    pages.want(0, 10);
    await settle();
    expect(pages.row(0)).toEqual(['p/0']);
  });

  it('load nothing once closed', () => {
    const { asked, load, arrived, failed } = stage();
    const pages = new Pages({ load, arrived, failed });
    pages.want(0, 10);
    pages.close();
    pages.want(5 * PAGE, 5 * PAGE + 10);
    expect(asked.length).toBe(1);
    expect(asked[0]?.signal.aborted).toBe(true);
  });
});
