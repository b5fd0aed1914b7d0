/** The result of the search: its cursor, and its rows as they are looked at. */

import type { Api } from './api';
import { Pages } from './pages';
import { ApiError, isAbort } from './transport';
import type { ColumnInfo, ResultInfo, Row, Search } from './types';

/** Rows that come with a result. */
const FIRST = 100;

export type ResultState = 'loading' | 'ready' | 'failed';

export class Results {
  state: ResultState = $state('loading');
  info: ResultInfo | null = $state.raw(null);
  /** What is wrong with the search; its `column` marks the place in the query. */
  error: ApiError | null = $state.raw(null);
  /** The columns of the rows, in their order; `row[i + 1]` is the value of `columns[i]`. */
  columns: ColumnInfo[] = $state.raw([]);
  /** Products that came after the result was made. */
  newer = $state(0);
  /** Counts up whenever rows have come, for what reads `row`. */
  arrivals = $state(0);

  private readonly api: Api;
  private readonly failed: (error: unknown) => void;
  private pages: Pages | null = null;
  private names: string[] = [];
  private search: Search = {};
  private running: AbortController | null = null;
  private window: [number, number] = [0, 0];

  constructor(api: Api, failed: (error: unknown) => void) {
    this.api = api;
    this.failed = failed;
  }

  get cursor(): string | null {
    return this.info?.cursor ?? null;
  }

  get total(): number {
    return this.info?.total ?? 0;
  }

  /** Run a search; the result before stays in sight until the new one is there. */
  async run(search: Search, names: string[]): Promise<void> {
    this.running?.abort();
    const controller = new AbortController();
    this.running = controller;
    this.search = search;
    this.names = names;
    this.state = 'loading';
    try {
      const info = await this.api.results(search, names, controller.signal);
      if (controller.signal.aborted) return;
      this.error = null;
      this.newer = 0;
      this.info = info;
      this.window = [0, 0];
      this.begin(info, info.columns, info.rows);
      this.state = 'ready';
    } catch (error) {
      if (isAbort(error) || controller.signal.aborted) return;
      this.state = 'failed';
      if (error instanceof ApiError) this.error = error;
      if (!(error instanceof ApiError) || error.status !== 422) this.failed(error);
    }
  }

  /** Run the same search again: the pool has changed. */
  again(): Promise<void> {
    return this.run(this.search, this.names);
  }

  /** Show other columns of the same result. */
  async choose(names: string[]): Promise<void> {
    const info = this.info;
    const same = names.join('\n') === this.names.join('\n');
    this.names = names;
    if (!info || same) return;
    try {
      const first = await this.page(info, names, 0, FIRST);
      if (this.info === info && this.names === names) this.begin(info, first.columns, first.rows);
    } catch (error) {
      this.failed(error);
    }
  }

  row(index: number): Row | undefined {
    void this.arrivals;
    return this.pages?.row(index);
  }

  /** Rows `first` to `last` are in sight. */
  want(first: number, last: number): void {
    this.window = [first, last];
    if (this.total) this.pages?.want(Math.max(0, first), Math.min(this.total - 1, last));
  }

  /** Index of a ref among the rows that are here, -1 where it is not. */
  indexOf(ref: string): number {
    for (const [index, row] of this.pages?.known() ?? []) if (row[0] === ref) return index;
    return -1;
  }

  /** The refs of a range of rows, asked of the server where they are not here. */
  async refs(first: number, last: number): Promise<string[]> {
    const [from, to] = first <= last ? [first, last] : [last, first];
    const found: string[] = [];
    for (let start = from; start <= to; start += 1000) {
      const count = Math.min(1000, to - start + 1);
      const here = Array.from({ length: count }, (_, i) => this.pages?.row(start + i)?.[0]);
      if (here.every((ref) => ref !== undefined)) {
        found.push(...(here as string[]));
      } else if (this.info) {
        const page = await this.api.rows(this.info.cursor, start, count, ['name']);
        found.push(...page.rows.map((row) => row[0]));
      }
    }
    return found;
  }

  private begin(info: ResultInfo, columns: ColumnInfo[], rows: Row[]): void {
    this.pages?.close();
    const names = columns.map((column) => column.key);
    const pages = new Pages({
      load: (start, count, signal) => this.load(info, names, start, count, signal),
      arrived: () => {
        if (this.pages === pages) this.arrivals += 1;
      },
      failed: (error) => this.failed(error),
    });
    pages.begin(rows, info.total);
    this.pages = pages;
    this.columns = columns;
    this.arrivals += 1;
    this.want(...this.window);
  }

  private async load(
    info: ResultInfo,
    names: string[],
    start: number,
    count: number,
    signal: AbortSignal,
  ): Promise<Row[]> {
    return (await this.page(info, names, start, count, signal)).rows;
  }

  private async page(
    info: ResultInfo,
    names: string[],
    start: number,
    count: number,
    signal?: AbortSignal,
  ): Promise<{ columns: ColumnInfo[]; rows: Row[] }> {
    try {
      return await this.api.rows(info.cursor, start, count, names, signal);
    } catch (error) {
      // The server has forgotten the cursor: the same search makes it again.
      if (!(error instanceof ApiError) || error.code !== 'cursor_gone') throw error;
      if (this.info === info) void this.again();
      throw new DOMException('another result takes its place', 'AbortError');
    }
  }
}
