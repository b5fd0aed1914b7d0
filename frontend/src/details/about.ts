/** What the routes of products tell beyond what all panes use. */

import type { Cell, Child, Code, Product, VersionInfo } from '../lib/types';

export interface SummaryRow {
  label: string;
  key: string;
  value: Cell;
  unit: string;
}

export interface FullProduct extends Product {
  removed: boolean;
  summary: SummaryRow[];
  file: { format: string; wrapper?: string; size?: number; files?: number } | null;
  reason: string | null;
  references: number;
}

export interface TreeChild extends Omit<Child, 'ref' | 'version' | 'datasets'> {
  ref: string | null;
  external?: string;
  version: number | null;
  versions?: number;
  latest?: boolean;
  tags?: string[];
  datasets: number;
  children: number;
  size: number;
  total_size: number;
  hash: string;
}

export interface FullVersion extends VersionInfo {
  total_size: number;
  hash: string;
  purged: boolean;
  current: boolean;
}

export interface MetaDifference {
  dataset: string;
  name: string;
  state: 'changed' | 'added' | 'removed' | 'same';
  a: Cell;
  b: Cell;
  unit_a: string | null;
  unit_b: string | null;
}

export interface DatasetDifference {
  path: string;
  state: 'same' | 'changed' | 'added' | 'removed';
  what: string;
  changed: number;
  unit: string;
  /** Smallest box of what differs: start and stop of each axis. */
  box: [number, number][] | null;
  max_difference: number | null;
}

export interface ReferenceDifference {
  role: string;
  state: string;
  a: TreeChild | null;
  b: TreeChild | null;
}

export interface Difference {
  a: TreeChild;
  b: TreeChild;
  equal: boolean;
  same_bytes: boolean | null;
  kind: [string, string] | null;
  meta: MetaDifference[];
  same_meta: number;
  same: MetaDifference[];
  datasets: DatasetDifference[];
  refs: ReferenceDifference[];
  code: Code;
}

export interface RowDifference {
  total: number;
  start: number;
  columns: { name: string; unit: string | null; state: string }[];
  rows: { row: number; a: Cell[] | null; b: Cell[] | null; changed: string[] }[];
}

export interface Told {
  tasks: { number: number; name: string; time: string | null; build: string }[];
  parameters: { task: number; name: string; type: string; value: string; default: boolean }[];
  script: string[];
  output: string;
  lines: string[];
}

export interface Commit {
  commit: number;
  time: string;
  author: string;
  message: string;
  changes: Record<string, number>;
}

export interface StorageFacts {
  pool: string;
  path: string;
  names: string[];
  hash: string;
  file_hash: string | null;
  chunks: number;
  bytes_logical: number;
  bytes_stored: number;
  unique: number;
  shared: { ref: string; name: string; version: number; bytes: number; chunks: number }[];
  shared_count: number;
  looked_at: number;
  complete: boolean;
  packs: { name: string; path: string; chunks: number }[];
  in_place: { path: string; size: number; there: boolean }[];
  codecs: Record<string, number>;
}

export interface MethodGroup {
  expression: string;
  title: string;
  members: { name: string; call: string; text: string }[];
}

/** A filter on a key for a value: a number by both ends, as equality of text means other things. */
export function filterFor(value: Cell): { values: Cell[] } {
  return { values: [value] };
}

/** Does any of the texts hold all words of what is searched? */
export function matches(search: string, ...texts: (string | null | undefined)[]): boolean {
  const whole = texts.join('\n').toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => whole.includes(word));
}

/** What a FITS keyword is called among the metadata: HCSS files have cards that say it. */
export function keyOf(keyword: string, cards: readonly (readonly string[])[]): string {
  const named = cards.find((card) => card[0] === `key.${keyword}`);
  return named?.[1] ?? keyword;
}
