/** Calls of the data routes: what they give is kept by the browser, as addresses hold a hash. */

import type { Api } from '../lib/api';
import type { Cell } from '../lib/types';
import type { Query } from '../lib/transport';

/** Numbers that JSON does not have come as text. */
export type Num = number | 'NaN' | 'Infinity' | '-Infinity';

export interface Level {
  level: number;
  step: number;
  shape: [number, number];
}

export interface PlaneAxis {
  name: string;
  unit: string;
  length: number;
  values?: Num[];
}

export interface Compass {
  north: [number, number];
  east: [number, number];
  scale: number;
}

export interface ImageInfo {
  shape: number[];
  dtype: string;
  complex: boolean;
  planes: number;
  levels: Level[];
  tile: number;
  unit: string;
  wcs: { text: string; frame: string; axes: { name: string; unit: string }[] } | null;
  compass: Compass | null;
  low: number;
  high: number;
  minimum: Num;
  maximum: Num;
  exact: boolean;
  limits: Record<string, [number, number]>;
  quantiles: number[];
  scaling: { offset: number; scale: number };
  plane_axes: PlaneAxis[];
}

export interface Pixel {
  value: Cell;
  text: string;
  unit: string;
  magnitude: number | null;
  world: {
    text: string;
    degrees?: string;
    native?: string;
    ra: number | null;
    dec: number | null;
    other: { name: string; value: Num; unit: string }[];
  } | null;
}

export interface Line {
  mode?: 'line' | 'points';
  x: { name: string; unit: string; values: Num[] };
  y: { name: string; unit: string; values: Num[]; low?: Num[]; high?: Num[]; rows?: number[] };
  total: number;
}

export interface TableColumn {
  name: string;
  unit: string;
  dtype: string;
  shape: number[];
  description: string;
  plots: boolean;
}

export interface TablePage {
  total: number;
  all: number;
  start: number;
  columns: TableColumn[];
  shown: string[];
  rows: Cell[][];
}

export interface Counts {
  edges: Num[];
  counts: number[];
  missing: number;
  unit: string;
}

export interface Changes {
  pixels: number;
  boxes: [number, number, number, number][];
  maximum: number;
  planes: Record<string, number>;
  tiles: number;
  tiles_read: number;
  complete: boolean;
  units: [string, string];
}

export interface TileData {
  rows: number;
  columns: number;
  values: Float32Array;
}

/** A number that JSON does not have as what it means. */
export function plain(value: Num | Cell | undefined): number {
  return typeof value === 'number' ? value : Number(value ?? NaN);
}

/** Other numbers here than in the server's answers kept by a browser would be wrong. */
const RECIPE = 1;

/** The data of one dataset. */
export class DatasetData {
  constructor(
    readonly api: Api,
    readonly hash: string,
    readonly dataset: string,
  ) {}

  image(signal?: AbortSignal): Promise<ImageInfo> {
    return this.get('image', {}, signal);
  }

  pixel(plane: number, x: number, y: number, signal?: AbortSignal): Promise<Pixel> {
    return this.get('pixel', { plane, x, y }, signal);
  }

  spectrum(query: Query, signal?: AbortSignal): Promise<Line> {
    return this.get('spectrum', query, signal);
  }

  table(query: Query, signal?: AbortSignal): Promise<TablePage> {
    return this.get('table', query, signal);
  }

  plot(query: Query, signal?: AbortSignal): Promise<Line> {
    return this.get('plot', query, signal);
  }

  histogram(query: Query, signal?: AbortSignal): Promise<Counts> {
    return this.get('histogram', query, signal);
  }

  changed(other: string, plane: number, signal?: AbortSignal): Promise<Changes> {
    return this.get('changed', { with: other, plane }, signal);
  }

  /** A tile, or, with the hash of another version, a tile of the difference. */
  async tile(
    place: { plane: number; level: number; row: number; column: number },
    other: string | null,
    signal: AbortSignal,
  ): Promise<TileData> {
    const path = this.path(other === null ? 'tile' : 'difference');
    const query = { dataset: this.dataset, ...place, with: other, v: RECIPE };
    const reply = await this.api.transport.request('GET', path, { query, signal });
    const [rows = 0, columns = 0] = reply.header('Skypool-Shape').split(',').map(Number);
    return { rows, columns, values: new Float32Array(await reply.bytes()) };
  }

  private path(route: string): string {
    return `data/${this.hash}/${route}`;
  }

  private get<T>(route: string, query: Query, signal?: AbortSignal): Promise<T> {
    const all = { dataset: this.dataset, ...query, v: RECIPE };
    return this.api.get<T>(this.path(route), all, signal);
  }
}
