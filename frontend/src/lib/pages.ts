/** Rows of a result by pages: kept while they may be looked at again, given up when scrolled past. */

import type { Row } from './types';

export const PAGE = 50;

export type Load = (start: number, count: number, signal: AbortSignal) => Promise<Row[]>;

interface Options {
  load: Load;
  /** Called when rows have come. */
  arrived: () => void;
  failed: (error: unknown) => void;
  /** Pages kept at most. */
  keep?: number;
  /** Requests under way at most. */
  abreast?: number;
}

/** Pages of one result with given columns; another result needs another object. */
export class Pages {
  private readonly options: Required<Options>;
  private readonly pages = new Map<number, Row[]>();
  private readonly loading = new Map<number, AbortController>();
  private wanted: number[] = [];
  private closed = false;

  constructor(options: Options) {
    this.options = { keep: 400, abreast: 2, ...options };
  }

  row(index: number): Row | undefined {
    return this.pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  /** Put the first rows there, which came with the result itself: whole pages, or all there are. */
  begin(rows: Row[], total: number): void {
    for (let start = 0; start < rows.length; start += PAGE) {
      const page = rows.slice(start, start + PAGE);
      if (page.length === PAGE || start + page.length === total) this.put(start / PAGE, page);
    }
  }

  /** Rows `first` to `last` are looked at now: load what is missing, give up everything else. */
  want(first: number, last: number): void {
    if (this.closed) return;
    const from = Math.floor(first / PAGE);
    const to = Math.floor(last / PAGE);
    for (const [page, controller] of this.loading) {
      if (page < from || page > to) {
        controller.abort();
        this.loading.delete(page);
      }
    }
    this.wanted = [];
    for (let page = from; page <= to; page++) {
      const rows = this.pages.get(page);
      if (rows) this.put(page, rows); // The newest are last, and are kept longest.
      else if (!this.loading.has(page)) this.wanted.push(page);
    }
    this.next();
  }

  close(): void {
    this.closed = true;
    this.wanted = [];
    for (const controller of this.loading.values()) controller.abort();
    this.loading.clear();
  }

  /** All rows that are here, with their indices. */
  *known(): Generator<[number, Row]> {
    for (const [page, rows] of this.pages) {
      for (const [i, row] of rows.entries()) yield [page * PAGE + i, row];
    }
  }

  private put(page: number, rows: Row[]): void {
    this.pages.delete(page);
    this.pages.set(page, rows);
  }

  private next(): void {
    while (this.wanted.length && this.loading.size < this.options.abreast) {
      const page = this.wanted.shift() as number;
      const controller = new AbortController();
      this.loading.set(page, controller);
      void this.fetch(page, controller);
    }
  }

  private async fetch(page: number, controller: AbortController): Promise<void> {
    try {
      const rows = await this.options.load(page * PAGE, PAGE, controller.signal);
      if (controller.signal.aborted) return;
      this.put(page, rows);
      this.forget();
      this.options.arrived();
    } catch (error) {
      if (!controller.signal.aborted) this.options.failed(error);
    } finally {
      if (this.loading.get(page) === controller) this.loading.delete(page);
      this.next();
    }
  }

  private forget(): void {
    for (const page of this.pages.keys()) {
      if (this.pages.size <= this.options.keep) return;
      this.pages.delete(page);
    }
  }
}
