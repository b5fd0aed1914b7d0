/** What is plotted: lines of the server as what uPlot takes. */

import { number } from '../lib/format';
import { plain, type Line, type Num } from './data';

/** Numbers with null where there is none, as uPlot breaks lines there. */
export function gaps(values: readonly Num[]): (number | null)[] {
  return values.map((value) => {
    const number = plain(value);
    return Number.isFinite(number) ? number : null;
  });
}

export interface Drawn {
  x: number[];
  y: (number | null)[];
  low: (number | null)[] | null;
  high: (number | null)[] | null;
  /** Places in the line as it came, as x has to grow. */
  order: number[];
  /** Unit of x, and what the values of the line are divided by. */
  unit: string;
  factor: number;
}

/** A line with x growing, and without points that have no x. */
export function drawn(line: Line): Drawn {
  const { factor, unit } = handyAxis(line);
  const xs = gaps(line.x.values).map((x) => (x === null ? null : x / factor));
  const order = xs.flatMap((x, place) => (x === null ? [] : [place]));
  order.sort((a, b) => xs[a]! - xs[b]!);
  const y = gaps(line.y.values);
  const low = line.y.low ? gaps(line.y.low) : null;
  const high = line.y.high ? gaps(line.y.high) : null;
  const take = (values: (number | null)[]) => order.map((place) => values[place] ?? null);
  return {
    x: order.map((place) => xs[place]!),
    y: take(y),
    low: low && take(low),
    high: high && take(high),
    order,
    unit,
    factor,
  };
}

function handyAxis(line: Line): { factor: number; unit: string } {
  const sizes = line.x.values.map((x) => Math.abs(plain(x))).filter(Number.isFinite);
  return handy(Math.max(0, ...sizes.slice(0, 1), ...sizes.slice(-1)), line.x.unit);
}

/** Units that are handy for values of a size, with what values are divided by. */
const HANDY: Record<string, readonly [number, number, string][]> = {
  Hz: [
    [1e9, 1e9, 'GHz'],
    [1e6, 1e6, 'MHz'],
  ],
  m: [
    [1e-2, 1, 'm'],
    [1e-7, 1e-6, 'um'],
    [0, 1e-9, 'nm'],
  ],
  'm/s': [[1e4, 1e3, 'km/s']],
  'm s-1': [[1e4, 1e3, 'km/s']],
  'm / s': [[1e4, 1e3, 'km/s']],
};

/** The unit in which a value is read best, and what it is divided by. */
export function handy(size: number, unit: string): { factor: number; unit: string } {
  const found = HANDY[unit]?.find(([least]) => Math.abs(size) >= least);
  return found ? { factor: found[1], unit: found[2] } : { factor: 1, unit };
}

/** A value with its unit, in seven digits. */
export function inWords(value: number, unit: string): string {
  const told = handy(value, unit);
  return `${number(parseFloat((value / told.factor).toPrecision(7)))} ${told.unit}`.trim();
}

export function titled(name: string, unit: string): string {
  return unit ? `${name} (${unit})` : name;
}

/** The place whose x is nearest; -1 of none. */
export function nearest(xs: readonly number[], x: number): number {
  let found = -1;
  for (let place = 0; place < xs.length; place += 1) {
    if (found < 0 || Math.abs(xs[place]! - x) < Math.abs(xs[found]! - x)) found = place;
  }
  return found;
}
