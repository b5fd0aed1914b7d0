/** The search that the page shows: read from its address, written to it, with history. */

import { addressText, fromAddress, normalised, toAddress } from './address';
import type { PageState, PaneName, ViewName } from './address';
import type { Cell, Filter, Search } from './types';

/** Where the state is kept; the window's address, or nothing in a notebook. */
export interface Place {
  read(): string;
  write(text: string, replace: boolean): void;
  listen(changed: () => void): () => void;
}

export class WindowPlace implements Place {
  read(): string {
    return addressText();
  }

  write(text: string, replace: boolean): void {
    const address = location.pathname + (text ? '#' + text : '');
    if (replace) history.replaceState(null, '', address);
    else history.pushState(null, '', address);
  }

  listen(changed: () => void): () => void {
    addEventListener('popstate', changed);
    return () => removeEventListener('popstate', changed);
  }
}

/** A state that no other window shares. */
export class OwnPlace implements Place {
  private text = '';

  read(): string {
    return this.text;
  }

  write(text: string): void {
    this.text = text;
  }

  listen(): () => void {
    return () => undefined;
  }
}

export class SearchState {
  search: Search = $state.raw({});
  view: ViewName = $state('table');
  /** Columns of the table, empty where the defaults are shown. */
  columns: string[] = $state.raw([]);
  /** The product in the details, and the tab that is open there. */
  ref: string | null = $state(null);
  tab: string | null = $state(null);
  /** The version that it is compared with. */
  against: string | null = $state(null);
  /** The dataset of the product that was chosen; null for the best one. */
  dataset: string | null = $state(null);
  /** The pane in front of a narrow page. */
  pane: PaneName = $state('Results');

  private readonly place: Place;

  constructor(place: Place) {
    this.place = place;
    this.load();
  }

  /** Follow back and forward until the returned function is called. */
  follow(): () => void {
    return this.place.listen(() => this.load());
  }

  /** The search as one text: equal texts are equal searches. */
  readonly key: string = $derived(JSON.stringify(normalised(this.search)));

  get address(): string {
    return toAddress(this.state());
  }

  /** Change parts of the search; a new entry of the history unless `replace`. */
  set(changes: Partial<Search>, replace = false): void {
    const { kind } = this.search;
    this.search = normalised({ ...this.search, ...changes });
    // Another product type has columns of its own.
    if (this.search.kind !== kind) this.columns = [];
    this.save(replace);
  }

  /** Put another search in the place of this one. */
  become(search: Search, columns?: string[]): void {
    this.search = normalised(search);
    if (columns) this.columns = columns;
    this.save(false);
  }

  show(view: ViewName): void {
    this.view = view;
    this.save(false);
  }

  showColumns(columns: string[]): void {
    this.columns = columns;
    this.save(true);
  }

  /** Look at a product: no entry of the history, as walking through a table would fill it. */
  open(
    ref: string | null,
    tab: string | null = this.tab,
    dataset: string | null = ref === this.ref ? this.dataset : null,
  ): void {
    if (ref === this.ref && tab === this.tab && dataset === this.dataset) return;
    if (ref !== this.ref) this.against = null;
    this.ref = ref;
    this.dataset = dataset;
    this.tab = tab;
    this.save(true);
  }

  /** Show what differs from one version to another, of any pools; null ends it. */
  compare(from: string | null, to: string | null = this.ref): void {
    if (to !== this.ref) this.dataset = null;
    this.ref = to;
    this.tab = 'Versions';
    this.against = from;
    this.save(true);
  }

  /** Bring a pane of a narrow page to the front; the way back is that of the browser, too. */
  front(pane: PaneName): void {
    if (pane === this.pane) return;
    this.pane = pane;
    this.save(false);
  }

  filterOf(key: string): Filter | undefined {
    return this.search.filters?.find((filter) => filter.key === key);
  }

  /** Set the filter on a key, or take it away with null. */
  setFilter(key: string, filter: Omit<Filter, 'key'> | null): void {
    const others = (this.search.filters ?? []).filter((one) => one.key !== key);
    this.set({ filters: filter ? [...others, { key, ...filter }] : others });
  }

  /** Add a value to the filter on a key, or take it out: values of a key are joined by OR. */
  toggleValue(key: string, value: Cell): void {
    const values = this.filterOf(key)?.values ?? [];
    const left = values.filter((one) => one !== value);
    if (left.length === values.length) left.push(value);
    this.setFilter(key, left.length ? { values: left } : null);
  }

  private state(): PageState {
    const { search, view, columns, ref, tab, against, dataset, pane } = this;
    return { search, view, columns, ref, tab, against, dataset, pane };
  }

  private load(): void {
    const state = fromAddress(this.place.read());
    this.search = state.search;
    this.view = state.view;
    this.columns = state.columns;
    this.ref = state.ref;
    this.tab = state.tab;
    this.against = state.against;
    this.dataset = state.dataset;
    this.pane = state.pane;
  }

  private save(replace: boolean): void {
    const text = this.address;
    if (text !== this.place.read().replace(/^[#?]+/, '')) this.place.write(text, replace);
  }
}
