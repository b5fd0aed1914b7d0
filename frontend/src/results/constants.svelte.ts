/** Columns that say the same of every product: told once, and left out of the table. */

import type { Application } from '../lib/app.svelte';
import type { ColumnInfo, Facet, ResultInfo } from '../lib/types';
import { KEPT } from './layouts';
import { shown, sized } from './widths';

export interface Constant {
  column: ColumnInfo;
  text: string;
  /** The text has its unit, as sizes do. */
  told: boolean;
}

/** From this many products on it is of use to leave columns out. */
const MANY = 3;

export class Constants {
  list: Constant[] = $state.raw([]);
  /** The user wants to see them as columns nevertheless. */
  shown = $state(false);
  private readonly app: Application;

  constructor(app: Application) {
    this.app = app;
  }

  /** Columns are left out of those chosen by default only. */
  get hide(): boolean {
    return !this.shown && this.app.shownColumns.length === 0;
  }

  has(key: string): boolean {
    return this.list.some((one) => one.column.key === key);
  }

  /** Look which of the columns of a result have one value only, and not two in what came. */
  async look(info: ResultInfo): Promise<void> {
    this.list = [];
    if (info.total < MANY || this.app.shownColumns.length > 0) return;
    const candidates = info.columns.filter((column, i) => {
      const first = JSON.stringify(info.rows[0]?.[i + 1] ?? null);
      // A number of the observation that no product has tells nothing apart.
      if (KEPT.has(column.key) && !(column.key === 'obsid' && first === 'null')) return false;
      return info.rows.every((row) => JSON.stringify(row[i + 1] ?? null) === first);
    });
    if (!candidates.length) return;
    const keys = candidates.map((column) => column.key);
    const facets: Record<string, Facet> | null =
      info.rows.length >= info.total
        ? null // All rows are here, and are alike.
        : await this.app.api.facets(info.cursor, keys, 1).catch(() => ({}) as Record<string, Facet>);
    if (this.app.results.info !== info) return;
    this.list = candidates.flatMap((column) => {
      const value = info.rows[0]?.[info.columns.indexOf(column) + 1];
      const facet = facets?.[column.key];
      const empty = value === null || value === undefined;
      const alike =
        facets === null ||
        (facet && (empty ? facet.different === 0 : facet.different === 1 && facet.missing === 0));
      return alike ? [{ column, text: empty ? '' : shown(value, column).text, told: sized(column) }] : [];
    });
  }
}
