/** Where bars and brushes of a histogram are, in a box of 100 units width. */

import { number } from '../lib/format';
import type { Filter, Histogram } from '../lib/types';

export const WIDTH = 100;

export interface Bar {
  x: number;
  width: number;
  height: number;
  count: number;
  label: string;
}

/** Position of an edge as a number: times by their milliseconds. */
export function position(edge: number | string, time: boolean): number {
  if (!time) return Number(edge);
  return typeof edge === 'number' ? edge : Date.parse(/[Z+]/.test(edge) ? edge : edge + 'Z');
}

export function edgeText(value: number, time: boolean, span: number): string {
  if (!time) return number(Number(value.toPrecision(6)));
  const text = new Date(value).toISOString();
  return span > 3 * 86_400_000 ? text.slice(0, 10) : text.slice(0, 19);
}

/** Bars of a histogram; heights from 0 to `height`, those that are not empty at least 1. */
export function bars(histogram: Histogram, height: number): Bar[] {
  const { counts, time } = histogram;
  const edges = histogram.edges.map((edge) => position(edge, time));
  const first = edges[0] ?? 0;
  const span = (edges.at(-1) ?? 0) - first || 1;
  const most = Math.max(1, ...counts);
  return counts.map((count, i) => {
    const from = edges[i] ?? first;
    const to = edges[i + 1] ?? from;
    return {
      x: ((from - first) / span) * WIDTH,
      width: Math.max(0.3, ((to - from) / span) * WIDTH),
      height: count === 0 ? 0 : Math.max(1, (count / most) * height),
      count,
      label: `${edgeText(from, time, span)} to ${edgeText(to, time, span)}`,
    };
  });
}

/** The filter of a brush from x0 to x1 (0 to 100), widened to whole bars. */
export function brushed(histogram: Histogram, x0: number, x1: number): Omit<Filter, 'key'> {
  const [low, high] = x0 <= x1 ? [x0, x1] : [x1, x0];
  const drawn = bars(histogram, 1);
  let first = drawn.findIndex((bar) => bar.x + bar.width > low);
  if (first < 0) first = drawn.length - 1;
  let last = drawn.length - 1;
  while (last > first && (drawn[last]?.x ?? 0) >= high) last -= 1;
  return { min: histogram.edges[first] ?? 0, max: histogram.edges[last + 1] ?? 0 };
}

/** Where a filter lies on the histogram, as [x, width]; null where it bounds nothing. */
export function shaded(histogram: Histogram, filter: Filter | undefined): [number, number] | null {
  if (!filter || (filter.min === undefined && filter.max === undefined)) return null;
  const { time } = histogram;
  const first = position(histogram.edges[0] ?? 0, time);
  const span = position(histogram.edges.at(-1) ?? 0, time) - first || 1;
  const place = (edge: number | string) =>
    Math.min(WIDTH, Math.max(0, ((position(edge, time) - first) / span) * WIDTH));
  const x = filter.min === undefined ? 0 : place(filter.min);
  const end = filter.max === undefined ? WIDTH : place(filter.max);
  return [x, Math.max(0.5, end - x)];
}

/** An end of a range as typed: a number where the key is one, else a text such as a date. */
export function typedEnd(text: string, time: boolean): number | string | undefined {
  const trimmed = text.trim();
  if (!trimmed) return undefined;
  const value = Number(trimmed);
  return time || Number.isNaN(value) ? trimmed : value;
}
