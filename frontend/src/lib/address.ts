/** The state of the page as the fragment of its address, and back. */

import type { Filter, Region, Search } from './types';

export type ViewName = 'table' | 'sheet' | 'sky' | 'both';
export const VIEWS: readonly ViewName[] = ['table', 'sheet', 'sky', 'both'];

/** Panes that a narrow page may show instead of the results. */
export type PaneName = 'Search' | 'Results' | 'Details';
export const PANES: readonly PaneName[] = ['Search', 'Results', 'Details'];

/** How what is shown is looked at: texts by their names in the address. */
export type Look = Readonly<Record<string, string>>;

/** Names of how the map of the sky is looked at: it is that of no product. */
export const MAP = ['sky', 'frame'] as const;
/** Names of how a product is looked at; docs/howto/browser.md tells what each says. */
export const LOOKS = [
  'stretch', 'colours', 'invert', 'cuts', 'plane', 'zoom', 'pixel', // images
  'as', 'rows', 'sort', 'row', 'fields', 'x', 'y', 'range', // tables and spectra
  'find', 'of', 'hdu', // metadata and headers
  'diff', 'by', 'border', 'boxes', 'all', // comparisons
] as const; // prettier-ignore

/** All that the address holds: the search, and what is looked at. */
export interface PageState {
  search: Search;
  view: ViewName;
  columns: string[];
  ref: string | null;
  tab: string | null;
  /** The version that the one in the details is compared with. */
  against: string | null;
  /** The dataset that the quick look shows, where it is not the one it would choose. */
  dataset: string | null;
  look: Look;
  /** The pane that is in front where there is room for one only. */
  pane: PaneName;
}

const TEXTS = ['query', 'text', 'kind', 'order', 'at'] as const;
const SWITCHES = ['all_versions', 'all_names'] as const;
const OBJECTS = ['pools', 'filters', 'region'] as const;

/** The search without keys that say nothing, so that equal searches have equal addresses. */
export function normalised(search: Search): Search {
  const made: Search = {};
  if (search.pools?.length) made.pools = [...search.pools].sort();
  for (const key of TEXTS) {
    const text = String(search[key] ?? '').trim();
    if (text) made[key] = text;
  }
  for (const key of SWITCHES) if (search[key]) made[key] = true;
  const filters = (search.filters ?? []).filter(saysSomething);
  if (filters.length) made.filters = filters;
  if (search.region?.circle || search.region?.box) made.region = search.region;
  return made;
}

function saysSomething(filter: Filter): boolean {
  const bounded = filter.min !== undefined || filter.max !== undefined;
  return bounded || filter.missing === true || (filter.values?.length ?? 0) > 0;
}

export function toAddress(state: PageState): string {
  const params = new URLSearchParams();
  const search = normalised(state.search);
  for (const key of TEXTS) if (search[key] !== undefined) params.set(key, String(search[key]));
  for (const key of SWITCHES) if (search[key]) params.set(key, 'true');
  for (const key of OBJECTS) {
    if (search[key] !== undefined) params.set(key, JSON.stringify(search[key]));
  }
  if (state.view !== 'table') params.set('view', state.view);
  if (state.columns.length) params.set('columns', JSON.stringify(state.columns));
  if (state.ref) params.set('ref', state.ref);
  if (state.tab) params.set('tab', state.tab);
  if (state.against) params.set('against', state.against);
  if (state.dataset) params.set('dataset', state.dataset);
  for (const name of [...LOOKS, ...MAP]) if (state.look[name]) params.set(name, state.look[name]!);
  if (state.pane !== 'Results') params.set('pane', state.pane);
  return params.toString();
}

/** Read an address leniently: what it does not hold, or holds wrongly, is as if absent. */
export function fromAddress(text: string): PageState {
  const params = new URLSearchParams(text.replace(/^[#?]+/, ''));
  const search: Search = {};
  for (const key of TEXTS) {
    const value = params.get(key);
    if (value) search[key] = value;
  }
  for (const key of SWITCHES) if (params.get(key) === 'true') search[key] = true;
  const pools = parsed(params.get('pools'));
  if (isTexts(pools)) search.pools = pools;
  const filters = parsed(params.get('filters'));
  if (Array.isArray(filters)) search.filters = filters.filter(isFilter);
  const region = parsed(params.get('region'));
  if (isRegion(region)) search.region = region;
  const columns = parsed(params.get('columns'));
  const view = params.get('view') as ViewName;
  const pane = params.get('pane') as PaneName;
  const look: Record<string, string> = {};
  for (const name of [...LOOKS, ...MAP]) if (params.get(name)) look[name] = params.get(name)!;
  return {
    search: normalised(search),
    view: VIEWS.includes(view) ? view : 'table',
    columns: isTexts(columns) ? columns : [],
    ref: params.get('ref'),
    tab: params.get('tab'),
    against: params.get('against'),
    dataset: params.get('dataset'),
    look,
    pane: PANES.includes(pane) ? pane : 'Results',
  };
}

/** The address of the window that holds the state; `?query=…` is taken too, as other programs write it. */
export function addressText(): string {
  return location.hash.length > 1 ? location.hash : location.search;
}

function parsed(text: string | null): unknown {
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isFilter(value: unknown): value is Filter {
  return typeof value === 'object' && value !== null && typeof (value as Filter).key === 'string';
}

function isRegion(value: unknown): value is Region {
  if (typeof value !== 'object' || value === null) return false;
  const { circle, box } = value as Region;
  const numbers = circle ?? box;
  return Array.isArray(numbers) && numbers.every((n) => typeof n === 'number' && isFinite(n));
}
