/** From numbers to colours: limits, stretches, and one table for both. */

import { colourMap, type ColourMap } from './colours';

export const STRETCHES = ['linear', 'asinh', 'log', 'sqrt', 'histogram'] as const;
export type Stretch = (typeof STRETCHES)[number];

/** How an image is shown. */
export interface Style {
  stretch: Stretch;
  colours: ColourMap;
  inverted: boolean;
  low: number;
  high: number;
}

/** Entries of a table: fine enough for the steep beginning of a logarithm. */
export const ENTRIES = 16384;
// As the server has them: those of DS9 and of astropy.visualization.
const SOFTENING = 0.1;
const CONTRAST = 1000;

/** A share between 0 and 1 after a stretch that needs no knowledge of the image. */
export function stretched(share: number, stretch: Stretch): number {
  switch (stretch) {
    case 'asinh':
      return Math.asinh(share / SOFTENING) / Math.asinh(1 / SOFTENING);
    case 'log':
      return Math.log1p(CONTRAST * share) / Math.log1p(CONTRAST);
    case 'sqrt':
      return Math.sqrt(share);
    default:
      return share;
  }
}

/** The rank of a value, from 0 to 1, among quantiles of evenly spaced rank. */
export function rankOf(value: number, quantiles: readonly number[]): number {
  const last = quantiles.length - 1;
  if (last < 1) return 0.5;
  let low = 0;
  let high = last;
  if (value <= quantiles[0]!) return 0;
  if (value >= quantiles[last]!) return 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (quantiles[middle]! <= value) low = middle;
    else high = middle;
  }
  const width = quantiles[high]! - quantiles[low]!;
  const part = width > 0 ? (value - quantiles[low]!) / width : 0.5;
  return (low + part) / last;
}

/** The value of a rank, as `rankOf` backwards. */
export function valueAt(rank: number, quantiles: readonly number[]): number {
  const last = quantiles.length - 1;
  if (last < 0) return 0;
  const place = Math.min(1, Math.max(0, rank)) * last;
  const low = Math.min(last, Math.floor(place));
  const high = Math.min(last, low + 1);
  const part = place - low;
  return quantiles[low]! * (1 - part) + quantiles[high]! * part;
}

/** Colours by the share between the limits, as 32-bit pixels of a canvas. */
export function colourTable(style: Style, quantiles: readonly number[]): Uint32Array {
  const colours = colourMap(style.colours, style.inverted);
  const table = new Uint32Array(ENTRIES);
  const { low, high } = style;
  const equal = style.stretch === 'histogram';
  const first = equal ? rankOf(low, quantiles) : 0;
  const width = equal ? rankOf(high, quantiles) - first : 1;
  for (let i = 0; i < ENTRIES; i += 1) {
    const share = i / (ENTRIES - 1);
    let place = share;
    if (equal && width > 0) {
      place = (rankOf(low * (1 - share) + high * share, quantiles) - first) / width;
    } else if (!equal) place = stretched(share, style.stretch);
    const k = 3 * Math.min(255, Math.max(0, Math.floor(place * 255 + 0.5)));
    table[i] =
      (0xff000000 | (colours[k + 2]! << 16) | (colours[k + 1]! << 8) | colours[k]!) >>> 0;
  }
  return table;
}

/** Entry of a table for a value; -1 for NaN. If the limits are equal, it is the middle. */
export function entryOf(value: number, low: number, high: number): number {
  if (value !== value) return -1;
  if (!(high > low)) return ENTRIES >> 1;
  const share = (value / 2 - low / 2) / (high / 2 - low / 2);
  return share <= 0 ? 0 : share >= 1 ? ENTRIES - 1 : Math.round(share * (ENTRIES - 1));
}

/** Colour a tile: its first row is the lowest, that of a canvas the uppermost. NaN is nothing. */
export function paint(
  values: Float32Array,
  rows: number,
  columns: number,
  table: Uint32Array,
  low: number,
  high: number,
  pixels: Uint32Array,
): void {
  const flat = !(high > low);
  const factor = flat ? 0 : (ENTRIES - 1) / (high - low);
  const most = ENTRIES - 1;
  const middle = ENTRIES >> 1;
  for (let row = 0; row < rows; row += 1) {
    let to = (rows - 1 - row) * columns;
    for (let from = row * columns, end = from + columns; from < end; from += 1, to += 1) {
      const value = values[from]!;
      if (value !== value) {
        pixels[to] = 0;
        continue;
      }
      const entry = flat ? middle : (value - low) * factor + 0.5;
      pixels[to] = table[entry <= 0 ? 0 : entry >= most ? most : entry | 0]!;
    }
  }
}
