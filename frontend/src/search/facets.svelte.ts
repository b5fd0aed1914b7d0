/** Facets: which are shown, and their counts for the result that is shown. */

import type { Application } from '../lib/app.svelte';
import { remember, remembered } from '../lib/remembered';
import { isAbort } from '../lib/transport';
import type { Facet, Histogram, KeyInfo } from '../lib/types';

const DEFAULTS = ['instrument', 'object', 'kind', 'tags', 'start', 'band', 'wavelength', 'obsid'];
const OPEN = ['instrument', 'kind', 'tags', 'start'];
export const BINS = 40;

export class Facets {
  /** Keys with a facet, in their order, and those of them that are open. */
  shown: string[] = $state.raw(remembered('facets', DEFAULTS));
  open: string[] = $state.raw(remembered('facets.open', OPEN));
  counts: Record<string, Facet> = $state.raw({});
  histograms: Record<string, Histogram> = $state.raw({});
  keys: Record<string, KeyInfo> = $state.raw({});
  /** Values asked for, where more than the first are wanted. */
  limits: Record<string, number> = $state.raw({});
  private readonly app: Application;
  /** For which result counts are here, by key. */
  private have: Record<string, string> = {};

  constructor(app: Application) {
    this.app = app;
  }

  /** Is a key one of numbers or times, with a histogram? */
  ranged(key: string): boolean {
    const type = this.keys[key]?.type;
    if (key === 'obsid' || type === undefined) return false;
    return ['number', 'integer', 'float', 'int', 'time', 'date'].includes(type);
  }

  async loadKeys(): Promise<void> {
    try {
      const list = await this.app.api.keys('', this.app.search.search.pools);
      this.keys = Object.fromEntries(list.map((key) => [key.key, key]));
    } catch (error) {
      this.app.messages.fail(error);
    }
  }

  toggle(key: string): void {
    const open = this.open.includes(key);
    this.open = open ? this.open.filter((one) => one !== key) : [...this.open, key];
    remember('facets.open', this.open);
  }

  show(key: string, on: boolean): void {
    const others = this.shown.filter((one) => one !== key);
    this.shown = on ? [...others, key] : others;
    remember('facets', this.shown);
    if (on && !this.open.includes(key)) this.toggle(key);
  }

  reset(): void {
    this.shown = DEFAULTS;
    this.open = OPEN;
    remember('facets', null);
    remember('facets.open', null);
  }

  more(key: string): void {
    this.limits = { ...this.limits, [key]: (this.limits[key] ?? 8) * 4 };
  }

  /** Ask for the counts of the open facets; the returned function gives the requests up. */
  load(cursor: string): () => void {
    const controller = new AbortController();
    const open = this.shown.filter((key) => this.open.includes(key));
    const mark = (key: string) => `${cursor} ${this.limits[key] ?? 8}`;
    const wanted = open.filter((key) => this.have[key] !== mark(key));
    const ranged = wanted.filter((key) => this.ranged(key));
    const counted = wanted.filter((key) => !this.ranged(key));
    const failed = (error: unknown) => {
      if (!isAbort(error)) this.app.messages.fail(error);
    };
    const limits = new Set(counted.map((key) => this.limits[key] ?? 8));
    for (const limit of limits) {
      const keys = counted.filter((key) => (this.limits[key] ?? 8) === limit);
      this.app.api
        .facets(cursor, keys, limit, controller.signal)
        .then((counts) => {
          this.counts = { ...this.counts, ...counts };
          for (const key of keys) this.have[key] = mark(key);
        })
        .catch(failed);
    }
    for (const key of ranged) {
      this.app.api
        .histogram(cursor, key, BINS, controller.signal)
        .then((histogram) => {
          this.histograms = { ...this.histograms, [key]: histogram };
          this.have[key] = mark(key);
        })
        .catch(failed);
    }
    return () => controller.abort();
  }
}
