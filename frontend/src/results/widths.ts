/** How a value is shown in the table, and how wide its column is. */

import { bytes, cell, middle, time } from '../lib/format';
import type { Cell, ColumnInfo, Row } from '../lib/types';

export type CellKey = string;

const SIZES = new Set(['size', 'total_size', 'added_bytes']);
/** Sizes are told with their unit, whichever fits. */
export function sized(column: ColumnInfo): boolean {
  return SIZES.has(column.key);
}

const SHORT = new Set(['hash', 'commit']);
const LETTER = 8;
const NARROW = 8;

export interface Shown {
  text: string;
  /** All of it, where the text is short for it. */
  title: string;
  number: boolean;
}

/**
 * A value as text: sizes with units, times without their T, hashes short, 0 as 0.
 *
 * A name is cut so that it fits into a column of that width in pixels.
 */
export function shown(value: Cell | undefined, column: ColumnInfo, width?: number): Shown {
  const full = cell(value);
  if (typeof value === 'number') {
    const text = SIZES.has(column.key) ? bytes(value) : full;
    return { text, title: SIZES.has(column.key) ? `${full} bytes` : full, number: true };
  }
  if (Array.isArray(value)) return { text: full, title: full, number: false };
  if (isTime(column) && typeof value === 'string') {
    return { text: time(value), title: full, number: false };
  }
  // Of a name the end tells most: what is left out is in its middle.
  const most = width && column.key === 'name' ? Math.floor((width - 16) / NARROW) : 90;
  const text = SHORT.has(column.key) ? full.slice(0, 12) : middle(full, Math.max(30, most));
  return { text, title: full, number: false };
}

export function isTime(column: ColumnInfo): boolean {
  return column.type === 'time' || column.type === 'date' || column.type === 'datetime';
}

export function isNumber(column: ColumnInfo): boolean {
  return ['int', 'float', 'integer', 'number', 'size'].includes(column.type);
}

const LEAST = 64;
const MOST = 270;

/** Width of a column in pixels at a font of 13 px: that of its widest text among some rows. */
export function widthOf(
  column: ColumnInfo,
  index: number,
  rows: readonly Row[],
  most = 0,
): number {
  const widest = Math.max(MOST, most);
  let letters = column.label.length + (column.unit ? column.unit.length + 3 : 0) + 4;
  for (const row of rows) {
    letters = Math.max(letters, shown(row[index + 1], column, widest > MOST ? widest : undefined).text.length);
  }
  return Math.round(Math.min(widest, Math.max(LEAST, letters * LETTER + 20)));
}
