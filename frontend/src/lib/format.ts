/** Numbers, sizes and times as people read them. */

import type { Cell } from './types';

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** A size in bytes with three digits: `51.2 MB`. */
export function bytes(size: number): string {
  let value = size;
  let unit = 0;
  while (Math.abs(value) >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || Math.abs(value) >= 99.95 ? 0 : Math.abs(value) >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

const grouped = new Intl.NumberFormat('en', { useGrouping: true });

/** A count with separators of thousands: `1,000,000`. */
export function count(value: number): string {
  return grouped.format(value);
}

export function plural(value: number, one: string, many = one + 's'): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** A value of a product as text: all digits of numbers, 0 never blank. */
export function cell(value: Cell | undefined): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return number(value);
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (Array.isArray(value)) return value.map(cell).join(', ');
  return value;
}

/** A number with the digits that it has; powers of ten where it is very large or small. */
export function number(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return String(value);
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e9) return String(parseFloat(value.toPrecision(10)));
  return value.toExponential().replace('e+', 'e');
}

/** `2012-03-01 12:34:56` of an ISO time; the whole text is the cell's title. */
export function time(text: string): string {
  const found = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)/.exec(text);
  return found ? `${found[1]} ${found[2]}` : text;
}

/** `/a/long/…/name.fits`: the middle is left out of what is longer than `most`. */
export function middle(text: string, most: number): string {
  if (text.length <= most) return text;
  const tail = Math.ceil((most - 1) * 0.6);
  return text.slice(0, most - 1 - tail) + '…' + text.slice(text.length - tail);
}
