/** What all panes share. A component gets it by `getApp()`. */

import { getContext, setContext } from 'svelte';

import { Api } from './api';
import { ColumnMemory } from './columns.svelte';
import { Commands } from './commands.svelte';
import { Echo, Messages } from './messages.svelte';
import { Results } from './results.svelte';
import { SearchState, type Place } from './search.svelte';
import { Selection } from './selection.svelte';
import { Theme } from './theme.svelte';
import type { Transport } from './transport';
import type { Job, Pools } from './types';

/** Place of the context menu in the window, in pixels. */
export interface MenuPlace {
  x: number;
  y: number;
}

export class Application {
  readonly api: Api;
  readonly messages = new Messages();
  readonly echo = new Echo();
  readonly commands = new Commands();
  readonly selection = new Selection();
  readonly theme = new Theme();
  readonly columns = new ColumnMemory();
  readonly results: Results;
  readonly search: SearchState;
  pools: Pools | null = $state.raw(null);
  /** Jobs by id, as the server's events tell them. */
  jobs: Record<string, Job> = $state({});
  /** Open where a context menu is asked for; what it acts on is the selection. */
  menu: MenuPlace | null = $state.raw(null);
  /** The channel of events is open. */
  connected = $state(true);
  /** Other things are around the page: it is a part of a notebook. */
  readonly embedded: boolean;
  /** The element of the whole page. */
  root: HTMLElement | null = null;
  private readonly listeners = new Set<(name: string, data: unknown) => void>();

  constructor(transport: Transport, place: Place, embedded = false) {
    this.embedded = embedded;
    this.api = new Api(transport);
    this.results = new Results(this.api, (error) => this.messages.fail(error));
    this.search = new SearchState(place);
  }

  /** Is something that happens in the window meant for the page? */
  meant(event: Event): boolean {
    return !this.embedded || (this.root?.contains(event.target as Node) ?? false);
  }

  /** No pool that is open may be changed. */
  get readOnly(): boolean {
    return this.pools?.read_only ?? true;
  }

  /** Labels of the pools that are searched. */
  get searched(): string[] {
    return this.search.search.pools ?? this.pools?.pools.map((pool) => pool.label) ?? [];
  }

  /** Columns to ask for: those of the address, else those remembered, else the defaults (none). */
  get shownColumns(): string[] {
    return this.search.columns.length ? this.search.columns : this.columns.of(this.kind);
  }

  private get kind(): string {
    return this.search.search.kind ?? '';
  }

  /** Show other columns, and remember them for the product type; none for the defaults. */
  chooseColumns(columns: string[]): void {
    this.columns.choose(this.kind, columns);
    this.search.showColumns(columns);
  }

  async loadPools(): Promise<void> {
    try {
      this.pools = await this.api.pools();
    } catch (error) {
      this.messages.fail(error);
    }
  }

  /** Follow the server's events until the returned function is called. */
  follow(): () => void {
    return this.api.transport.events(({ name, data }) => this.hear(name, data));
  }

  /** Hear events that this class does not know, or does not know enough of. */
  on(listener: (name: string, data: unknown) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private hear(name: string, data: unknown): void {
    if (name === 'open') this.connected = true;
    else if (name === 'lost') this.connected = false;
    else if (name === 'job') {
      const job = data as Job;
      this.jobs[job.id] = job;
    } else if (name === 'pool') {
      const { label, new: fresh } = data as { label: string; new: number };
      if (this.searched.includes(label)) this.results.newer += Math.max(1, fresh);
      void this.loadPools();
    } else if (name === 'selected') {
      const ref = (data as { ref?: string }).ref;
      if (ref) {
        this.selection.only(ref);
        this.search.open(ref);
      }
    }
    for (const listener of this.listeners) listener(name, data);
  }
}

const KEY = Symbol('skypool');

export function provideApp(app: Application): Application {
  return setContext(KEY, app);
}

export function getApp(): Application {
  return getContext<Application>(KEY);
}
