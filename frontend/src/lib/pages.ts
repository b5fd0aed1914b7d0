/** Rows of a result by pages: kept while they may be looked at again, given up when scrolled past. */

import type { Row } from './types';

export const PAGE = 25;
/** Pages side by side are asked for as one, up to so many. */
const TOGETHER = 4;

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

/** A request for pages that lie side by side. */
interface Run {
  first: number;
  last: number;
  controller: AbortController;
}

/** Pages of one result with given columns; another result needs another object. */
export class Pages {
  private readonly options: Required<Options>;
  private readonly pages = new Map<number, Row[]>();
  private readonly loading = new Set<Run>();
  private wanted: number[] = [];
  private closed = false;

  constructor(options: Options) {
    this.options = { keep: 800, abreast: 2, ...options };
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
    const coming = new Set<number>();
    for (const run of this.loading) {
      if (run.last < from || run.first > to) {
        run.controller.abort();
        this.loading.delete(run);
      } else {
        for (let page = run.first; page <= run.last; page++) coming.add(page);
      }
    }
    this.wanted = [];
    for (let page = from; page <= to; page++) {
      const rows = this.pages.get(page);
      if (rows) this.put(page, rows); // The newest are last, and are kept longest.
      else if (!coming.has(page)) this.wanted.push(page);
    }
    this.next();
  }

  close(): void {
    this.closed = true;
    this.wanted = [];
    for (const run of this.loading) run.controller.abort();
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
      const first = this.wanted.shift() as number;
      let last = first;
      while (this.wanted[0] === last + 1 && last - first + 1 < TOGETHER) {
        last = this.wanted.shift() as number;
      }
      const run = { first, last, controller: new AbortController() };
      this.loading.add(run);
      void this.fetch(run);
    }
  }

  private async fetch(run: Run): Promise<void> {
    const { first, last, controller } = run;
    try {
      const count = (last - first + 1) * PAGE;
      const rows = await this.options.load(first * PAGE, count, controller.signal);
      if (controller.signal.aborted) return;
      for (let page = first; page <= last; page++) {
        this.put(page, rows.slice((page - first) * PAGE, (page - first + 1) * PAGE));
      }
      this.forget();
      this.options.arrived();
    } catch (error) {
      if (!controller.signal.aborted) this.options.failed(error);
    } finally {
      this.loading.delete(run);
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
