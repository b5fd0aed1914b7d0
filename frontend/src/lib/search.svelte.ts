/** The search that the page shows: read from its address, written to it, with history. */

import { addressText, fromAddress, normalised, toAddress } from './address';
import type { Look, PageState, PaneName, ViewName } from './address';
import { changed, LookMemory, staying } from './looks';
import type { Cell, Filter, Search } from './types';

/** Where the state is kept; the window's address, or nothing in a notebook. */
export interface Place {
  read(): string;
  write(text: string, replace: boolean): void;
  /** Tell when it was changed, and when it is about to be left. */
  listen(changed: () => void, left: () => void): () => void;
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

  listen(changed: () => void, left: () => void): () => void {
    addEventListener('popstate', changed);
    addEventListener('pagehide', left);
    return () => {
      removeEventListener('popstate', changed);
      removeEventListener('pagehide', left);
    };
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

/** Milliseconds between writes of what moves: browsers refuse to write very often. */
const APART = 200;

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
  /** How the product and the sky are looked at. */
  look: Look = $state.raw({});
  /** The look is that of an address: what this browser remembers of other ones is not meant. */
  linked = $state(false);
  /** How often the state was read: what is shown follows it then. */
  reads = $state(0);
  /** The pane in front of a narrow page. */
  pane: PaneName = $state('Results');

  private readonly place: Place;
  private readonly memory = new LookMemory();
  private written = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(place: Place) {
    this.place = place;
    this.load();
  }

  /** Follow back and forward until the returned function is called. */
  follow(): () => void {
    return this.place.listen(
      () => this.load(),
      () => this.flush(),
    );
  }

  /** The search as one text: equal texts are equal searches. */
  readonly key: string = $derived(JSON.stringify(normalised(this.search)));

  get address(): string {
    return toAddress(this.state());
  }

  /** Change parts of the search; a new entry of the history unless `replace`. */
  set(changes: Partial<Search>, replace = false): void {
    this.flush();
    const { kind } = this.search;
    this.search = normalised({ ...this.search, ...changes });
    // Another product type has columns of its own.
    if (this.search.kind !== kind) this.columns = [];
    this.save(replace);
  }

  /** Put another search in the place of this one. */
  become(search: Search, columns?: string[]): void {
    this.flush();
    this.search = normalised(search);
    if (columns) this.columns = columns;
    this.save(false);
  }

  show(view: ViewName): void {
    this.flush();
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
    this.go(ref, tab, dataset, ref === this.ref ? this.against : null, true);
  }

  /** Follow a link to another product, which is a step that one goes back over. */
  visit(ref: string, tab: string | null = this.tab, dataset: string | null = null): void {
    this.go(ref, tab, dataset, null, false);
  }

  /** Tell which dataset is shown where the address does not. */
  name(dataset: string): void {
    this.dataset = dataset;
    this.save(true);
  }

  /** Show what differs from one version to another, of any pools; null ends it. */
  compare(from: string | null, to: string | null = this.ref): void {
    const swapped = from !== null && this.against !== null;
    this.go(to, 'Versions', to === this.ref ? this.dataset : null, from, swapped);
  }

  /** Look in another way; '' is how it is without being told. */
  lookAt(changes: Look): void {
    const look = changed(this.look, changes);
    if (look === this.look) return;
    this.look = look;
    const wait = this.written + APART - Date.now();
    if (wait <= 0) this.save(true);
    else this.timer ??= setTimeout(() => this.flush(), wait);
  }

  /** Write what waits to be written. */
  flush(): void {
    if (this.timer !== undefined) this.save(true);
  }

  /** Bring a pane of a narrow page to the front; the way back is that of the browser, too. */
  front(pane: PaneName): void {
    if (pane === this.pane) return;
    this.flush();
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
    const { search, view, columns, ref, tab, against, dataset, look, pane } = this;
    return { search, view, columns, ref, tab, against, dataset, look, pane };
  }

  private go(
    ref: string | null,
    tab: string | null,
    dataset: string | null,
    against: string | null,
    replace: boolean,
  ): void {
    const same = ref === this.ref && tab === this.tab;
    if (same && dataset === this.dataset && against === this.against) return;
    if (!replace) this.flush();
    this.memory.keep(this.state());
    Object.assign(this, { ref, tab, dataset, against });
    const known = this.memory.of(this.state());
    this.linked = known !== null;
    this.look = known ?? staying(this.look);
    this.save(replace);
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
    this.look = state.look;
    this.linked = true;
    this.pane = state.pane;
    this.reads += 1;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private save(replace: boolean): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.written = Date.now();
    const text = this.address;
    if (text !== this.place.read().replace(/^[#?]+/, '')) this.place.write(text, replace);
  }
}
