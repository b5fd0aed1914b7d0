/** The objects of docs/reference/http-api.md. */

export type Cell = string | number | boolean | null | Cell[];

export interface Filter {
  key: string;
  values?: Cell[];
  min?: number | string;
  max?: number | string;
  missing?: boolean;
}

export interface Region {
  circle?: [number, number, number];
  box?: [number, number, number, number];
}

/** A search, as in requests, saved views and the address of the page. */
export interface Search {
  pools?: string[];
  query?: string;
  text?: string;
  filters?: Filter[];
  region?: Region;
  kind?: string;
  order?: string;
  all_versions?: boolean;
  all_names?: boolean;
  at?: string | number;
}

/** The same thing as a line of Python, of the command line, and as the address of the page. */
export interface Code {
  python: string;
  command: string;
  url: string;
}

export interface PoolInfo {
  label: string;
  name: string;
  path: string;
  writable: boolean;
  products: number;
  versions: number;
  commit: number;
  bytes_stored: number;
  alive: boolean;
  problem?: string | null;
}

/** A named pool that is not open. */
export interface KnownPool {
  name: string;
  path: string;
}

export interface Pools {
  pools: PoolInfo[];
  known: KnownPool[];
  read_only: boolean;
  version: string;
  user: string;
}

export interface ResultInfo {
  cursor: string;
  total: number;
  query: string;
  pools: Record<string, number>;
  columns: ColumnInfo[];
  order: string;
  rows: Row[];
  code: Code;
  took_ms: number;
  advice?: string[];
}

export interface ColumnInfo {
  key: string;
  unit: string | null;
  type: string;
  label: string;
}

/** The ref of a version, then the values of the columns. */
export type Row = [string, ...Cell[]];

export interface RowsPage {
  start: number;
  columns: ColumnInfo[];
  rows: Row[];
}

export interface Facet {
  values: [Cell, number][];
  missing: number;
  different: number;
  unit: string | null;
}

export interface Histogram {
  edges: (number | string)[];
  counts: number[];
  missing: number;
  unit: string | null;
  time: boolean;
}

export interface SelectionFacts {
  count: number;
  bytes: number;
  tags: Record<string, number>;
}

export type CompletionKind = 'key' | 'value' | 'function' | 'tag' | 'name';

export interface CompletionItem {
  text: string;
  kind: CompletionKind;
  detail: string;
  count: number | null;
}

export interface Completion {
  start: number;
  end: number;
  items: CompletionItem[];
  error?: { message: string; column: number | null; hint: string | null } | null;
}

export interface KeyInfo {
  key: string;
  core: boolean;
  type: string;
  unit: string | null;
  products: number;
}

export interface View {
  name: string;
  search: Search;
  columns: string[];
  /** Pools that it asks and that are not open. */
  missing: string[];
}

export interface DatasetColumn {
  name: string;
  unit: string | null;
  dtype: string;
  shape: number[];
}

export interface DatasetInfo {
  path: string;
  class: 'array' | 'table' | 'composite';
  shape: number[] | null;
  dtype: string | null;
  unit: string | null;
  rows: number | null;
  columns: DatasetColumn[] | null;
  hash: string;
  quick: 'image' | 'cube' | 'spectrum' | 'table' | 'none';
}

export interface Product {
  ref: string;
  urn: string;
  name: string;
  version: number;
  versions: number;
  latest: boolean;
  kind: string;
  type: string;
  description: string;
  tags: string[];
  size: number;
  total_size: number;
  hash: string;
  saved: string;
  author: string;
  message: string;
  commit: number;
  position?: { ra: number; dec: number; text?: string } | null;
  attributes: Record<string, Cell>;
  datasets: DatasetInfo[];
  hdus?: unknown;
  context: boolean;
  names: string[];
  code: Code;
}

export interface MetaEntry {
  name: string;
  value: Cell;
  unit: string | null;
  description: string | null;
  type: string;
}

export interface HeaderUnit {
  index: number;
  name: string;
  cards: [string, Cell, string][];
}

export interface Child {
  role: string;
  ref: string;
  name: string;
  kind: string;
  type: string;
  version: number;
  description: string;
  context: boolean;
  datasets: number | string[] | null;
}

export interface VersionInfo {
  ref: string;
  version: number;
  saved: string;
  author: string;
  message: string;
  commit: number;
  tags: string[];
  size: number;
  added_bytes: number | null;
}

export type SelectionBody = { refs: string[] } | { cursor: string; all: true; except: string[] };

export type JobState = 'waiting' | 'running' | 'done' | 'failed' | 'cancelled';

export interface Job {
  id: string;
  action: string;
  state: JobState;
  done: number;
  total: number | null;
  unit: string;
  text: string;
  errors: { message: string; hint?: string | null }[];
  result: unknown;
  code: Code | null;
  undo: boolean;
}
