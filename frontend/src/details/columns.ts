/** Columns of a table: which are shown and plotted at first. */

import type { TableColumn } from './data';

const ALONG = /^(wave|lambda|lam$|loglam|freq|velo|energy|channel)/i;
const BRIGHT = /^(flux|intensity|signal|spec|temperature|counts|rate)/i;
export const MOST_SHOWN = 30;

/** The columns of a spectrum kept as a table, null where it does not look like one. */
export function spectral(columns: readonly TableColumn[]): { x: string; y: string } | null {
  const plain = columns.filter((one) => one.plots);
  const x = plain.find((one) => ALONG.test(one.name));
  const y = plain.find((one) => BRIGHT.test(one.name) && one !== x);
  return x && y ? { x: x.name, y: y.name } : null;
}

/** What is plotted at first: a spectrum, else the first two columns of numbers. */
export function firstPlot(columns: readonly TableColumn[]): { x: string; y: string } {
  const plain = columns.filter((one) => one.plots);
  const found = spectral(columns);
  if (found) return found;
  if (plain.length < 2) return { x: '', y: plain[0]?.name ?? '' };
  return { x: plain[0]!.name, y: plain[1]!.name };
}

/** The order after a click on a column: rising, falling, none. */
export function turned(order: string, column: string): string {
  if (order === column) return `-${column}`;
  return order === `-${column}` ? '' : column;
}

/** How a column is ordered, in the words of ARIA. */
export function sortOf(order: string, column: string): 'ascending' | 'descending' | 'none' {
  if (order === column) return 'ascending';
  return order === `-${column}` ? 'descending' : 'none';
}
