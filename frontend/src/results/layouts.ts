/** Columns by name: the layouts of HIPE, what every product has, and how columns are called. */

import type { CellKey } from './widths';

/** HIPE's default layout. */
export const HIPE_DEFAULT = [
  'obsid',
  'odNumber',
  'startDate',
  'aot',
  'instrument',
  'obsMode',
  'object',
  'proposal',
  'aorLabel',
];

export const BUILT_IN: Record<string, string[]> = {
  'HIPE: default': HIPE_DEFAULT,
  'HIPE: observations': [...HIPE_DEFAULT, 'version'],
  'Files': ['name', 'version', 'kind', 'size', 'saved', 'tags'],
  'Versions': ['name', 'version', 'saved', 'author', 'message', 'tags', 'size'],
};

/** What every product has, under HIPE's names for it. */
export const OTHER: Record<string, string> = {
  name: 'Name',
  version: 'Version',
  size: 'Size',
  total_size: 'Total Size',
  hash: 'Hash',
  track: 'Track Id',
  tags: 'Tag',
  urn: 'Full URN',
  pool: 'Pool',
  kind: 'Class',
  type: 'Product type',
  saved: 'Saved',
  author: 'Author',
  message: 'Message',
};

/** Columns that are never left out for having one value only: they tell rows apart, or may. */
export const KEPT: ReadonlySet<string> = new Set(['name', 'obsid', 'version', 'saved', 'tags', 'size']);

/** A name that no layout has yet: `mine`, `mine 2`, `mine 3`. */
export function freeName(wanted: string, taken: readonly string[]): string {
  const name = wanted.trim() || 'layout';
  for (let n = 1; ; n++) {
    const tried = n === 1 ? name : `${name} ${n}`;
    if (!taken.includes(tried)) return tried;
  }
}

/** Put a column before another, or at the end; a column that is there already moves. */
export function inserted(columns: string[], key: CellKey, before: string | null): string[] {
  const others = columns.filter((one) => one !== key);
  const at = before === null ? -1 : others.indexOf(before);
  if (at < 0) return [...others, key];
  return [...others.slice(0, at), key, ...others.slice(at)];
}

export function removed(columns: string[], key: CellKey): string[] {
  return columns.filter((one) => one !== key);
}

/** Move a column by `by` places to the right (to the left below 0), within its bounds. */
export function moved(columns: string[], key: CellKey, by: number): string[] {
  const from = columns.indexOf(key);
  if (from < 0) return columns;
  const to = Math.min(Math.max(0, from + by), columns.length - 1);
  const others = removed(columns, key);
  return [...others.slice(0, to), key, ...others.slice(to)];
}

/** Direction in which an order sorts by a key, and its rank (from 1) among the keys. */
export function sortOf(order: string, key: string): { sign: 1 | -1; rank: number } | null {
  const parts = order.split(',').map((part) => part.trim());
  const at = parts.findIndex((part) => part.replace(/^[-+]/, '') === key);
  if (at < 0) return null;
  return { sign: parts[at]?.startsWith('-') ? -1 : 1, rank: at + 1 };
}

/** The order after a click on a header: ascending, descending, none; `more` keeps other keys. */
export function sortedBy(order: string, key: string, more: boolean): string {
  const parts = order.split(',').map((part) => part.trim()).filter(Boolean);
  const now = sortOf(order, key);
  const next = now === null ? key : now.sign === 1 ? '-' + key : '';
  if (!more) return next;
  if (now === null) return [...parts, key].join(',');
  parts.splice(now.rank - 1, 1, ...(next ? [next] : []));
  return parts.join(',');
}
