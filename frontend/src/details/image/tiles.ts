/** Tiles of one image, fetched as they are needed and kept for a while. */

import { isAbort } from '../../lib/transport';
import type { DatasetData, TileData } from '../data';
import { paint, type Style } from './stretch';
import type { TilePlace } from './viewport';

/** 48 MB of values, and as much in colours. */
const MOST = 192;
const AT_ONCE = 6;

interface Kept extends TileData {
  picture: HTMLCanvasElement | null;
  /** The style that the picture is in. */
  painted: object | null;
}

/** A style with its table of colours; another object is another style. */
export interface Painted {
  style: Style;
  table: Uint32Array;
  /** Limits in the numbers of tiles. */
  low: number;
  high: number;
}

export class Tiles {
  private readonly kept = new Map<string, Kept>();
  private readonly pending = new Map<string, AbortController>();
  private readonly failed = new Map<string, number>();
  private wanted: { plane: number; place: TilePlace }[] = [];

  /**
   * @param data whose tiles
   * @param other hash of another version: then they are of the difference
   * @param changed called when a tile has come
   * @param fail called when one cannot be had
   */
  constructor(
    private readonly data: DatasetData,
    private readonly other: string | null,
    private readonly changed: () => void,
    private readonly fail: (error: unknown) => void,
  ) {}

  /** Are there tiles still to come? */
  get busy(): boolean {
    return this.wanted.length > 0 || this.pending.size > 0;
  }

  has(plane: number, place: TilePlace): boolean {
    return this.kept.has(name(plane, place));
  }

  /** Ask for tiles; what was asked for before and is not among them is given up. */
  want(plane: number, places: readonly TilePlace[]): void {
    const names = new Set(places.map((place) => name(plane, place)));
    for (const [key, controller] of this.pending) {
      if (!names.has(key)) {
        controller.abort();
        this.pending.delete(key);
      }
    }
    this.wanted = places
      .filter((place) => {
        const key = name(plane, place);
        return !this.kept.has(key) && !this.pending.has(key) && (this.failed.get(key) ?? 0) < 1;
      })
      .map((place) => ({ plane, place }));
    this.next();
  }

  /** A tile in colours, if it is here. */
  picture(plane: number, place: TilePlace, painted: Painted): HTMLCanvasElement | null {
    const key = name(plane, place);
    const tile = this.kept.get(key);
    if (!tile || tile.rows === 0 || tile.columns === 0) return null;
    this.kept.delete(key); // the last of the order is the newest used
    this.kept.set(key, tile);
    if (tile.picture === null) {
      tile.picture = document.createElement('canvas');
      tile.picture.width = tile.columns;
      tile.picture.height = tile.rows;
    }
    if (tile.painted !== painted) {
      tile.painted = painted;
      const context = tile.picture.getContext('2d');
      const image = new ImageData(tile.columns, tile.rows);
      const pixels = new Uint32Array(image.data.buffer);
      const { table, low, high } = painted;
      paint(tile.values, tile.rows, tile.columns, table, low, high, pixels);
      context?.putImageData(image, 0, 0);
    }
    return tile.picture;
  }

  /** Give up all that is asked for. */
  close(): void {
    this.wanted = [];
    for (const controller of this.pending.values()) controller.abort();
    this.pending.clear();
  }

  private next(): void {
    while (this.pending.size < AT_ONCE) {
      const one = this.wanted.shift();
      if (one === undefined) return;
      void this.fetch(one.plane, one.place);
    }
  }

  private async fetch(plane: number, place: TilePlace): Promise<void> {
    const key = name(plane, place);
    const controller = new AbortController();
    this.pending.set(key, controller);
    try {
      const tile = await this.data.tile({ plane, ...place }, this.other, controller.signal);
      this.keep(key, { ...tile, picture: null, painted: null });
    } catch (error) {
      if (!isAbort(error) && this.pending.get(key) === controller) {
        this.failed.set(key, (this.failed.get(key) ?? 0) + 1);
        this.fail(error);
      }
    } finally {
      if (this.pending.get(key) === controller) {
        this.pending.delete(key);
        this.next();
        this.changed();
      }
    }
  }

  private keep(key: string, tile: Kept): void {
    this.kept.set(key, tile);
    for (const old of this.kept.keys()) {
      if (this.kept.size <= MOST) return;
      this.kept.delete(old);
    }
  }
}

function name(plane: number, place: TilePlace): string {
  return `${plane}/${place.level}/${place.row}/${place.column}`;
}
