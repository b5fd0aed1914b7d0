/** Typed calls of the HTTP API, over any transport. */

import type { RequestOptions, Transport } from './transport';
import type {
  Cell,
  Child,
  Completion,
  Facet,
  HeaderUnit,
  Histogram,
  Job,
  KeyInfo,
  MetaEntry,
  Pools,
  Product,
  ResultInfo,
  RowsPage,
  Search,
  SelectionBody,
  SelectionFacts,
  VersionInfo,
  View,
} from './types';

type Signal = AbortSignal | undefined;

export class Api {
  readonly transport: Transport;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  /** GET of any path, as JSON: for what has no call of its own here. */
  async get<T>(path: string, query?: RequestOptions['query'], signal?: Signal): Promise<T> {
    const reply = await this.transport.request('GET', path, options({ query, signal }));
    return reply.json<T>();
  }

  async post<T>(path: string, body: object, signal?: Signal): Promise<T> {
    const reply = await this.transport.request('POST', path, options({ body, signal }));
    return reply.json<T>();
  }

  async put(path: string, body: object | Blob, signal?: Signal): Promise<void> {
    await this.transport.request('PUT', path, options({ body, signal }));
  }

  /** Send a file; `sent` is told how much of it has gone. */
  async upload(
    path: string,
    file: Blob,
    sent: (bytes: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    await this.transport.request('PUT', path, { body: file, sent, signal });
  }

  async delete(path: string): Promise<void> {
    await this.transport.request('DELETE', path);
  }

  pools(): Promise<Pools> {
    return this.get('pools');
  }

  openPool(path: string, create = false): Promise<unknown> {
    return this.post('pools', create ? { path, create } : { path });
  }

  closePool(label: string): Promise<void> {
    return this.delete(`pools/${encodeURIComponent(label)}`);
  }

  /** Run a search; `show` names the columns of its rows, empty for the defaults. */
  results(search: Search, show: string[], signal?: Signal): Promise<ResultInfo> {
    return this.post('results', show.length ? { ...search, show } : search, signal);
  }

  rows(
    cursor: string,
    start: number,
    count: number,
    columns: string[],
    signal?: Signal,
  ): Promise<RowsPage> {
    return this.get(`results/${cursor}/rows`, { start, count, columns: listed(columns) }, signal);
  }

  async facets(
    cursor: string,
    keys: string[],
    limit: number,
    signal?: Signal,
  ): Promise<Record<string, Facet>> {
    type Answer = { facets: Record<string, Facet> };
    return (await this.post<Answer>(`results/${cursor}/facets`, { keys, limit }, signal)).facets;
  }

  histogram(cursor: string, key: string, bins: number, signal?: Signal): Promise<Histogram> {
    return this.post(`results/${cursor}/histogram`, { key, bins }, signal);
  }

  async position(cursor: string, ref: string): Promise<number | null> {
    return (await this.get<{ index: number | null }>(`results/${cursor}/position`, { ref })).index;
  }

  selection(cursor: string, selection: SelectionBody, signal?: Signal): Promise<SelectionFacts> {
    return this.post(`results/${cursor}/selection`, selection, signal);
  }

  complete(text: string, caret: number, pools: string[], signal?: Signal): Promise<Completion> {
    return this.get('complete', { text, caret, pools: listed(pools) }, signal);
  }

  async keys(search: string, pools: string[] = [], signal?: Signal): Promise<KeyInfo[]> {
    const query = { search, pools: listed(pools) };
    return (await this.get<{ keys: KeyInfo[] }>('keys', query, signal)).keys;
  }

  async views(): Promise<View[]> {
    return (await this.get<{ views: View[] }>('views')).views;
  }

  saveView(name: string, search: Search, columns: string[]): Promise<void> {
    return this.put(`views/${encodeURIComponent(name)}`, { ...search, columns });
  }

  deleteView(name: string): Promise<void> {
    return this.delete(`views/${encodeURIComponent(name)}`);
  }

  product(ref: string, signal?: Signal): Promise<Product> {
    return this.get(productPath(ref), undefined, signal);
  }

  async meta(ref: string, dataset?: string, signal?: Signal): Promise<MetaEntry[]> {
    const path = productPath(ref, 'meta');
    return (await this.get<{ entries: MetaEntry[] }>(path, { dataset }, signal)).entries;
  }

  async header(ref: string, signal?: Signal): Promise<HeaderUnit[]> {
    const path = productPath(ref, 'header');
    return (await this.get<{ hdus: HeaderUnit[] }>(path, undefined, signal)).hdus;
  }

  async children(ref: string, signal?: Signal): Promise<Child[]> {
    const path = productPath(ref, 'children');
    return (await this.get<{ children: Child[] }>(path, undefined, signal)).children;
  }

  async versions(ref: string, signal?: Signal): Promise<VersionInfo[]> {
    const path = productPath(ref, 'versions');
    return (await this.get<{ versions: VersionInfo[] }>(path, undefined, signal)).versions;
  }

  async startJob(action: string, body: Record<string, unknown>): Promise<Job> {
    return (await this.post<{ job: Job }>('jobs', { action, ...body })).job;
  }

  /** Address of a picture or a file of a product, null where the channel has no addresses. */
  productAddress(ref: string, part: string, query?: Record<string, Cell>): string | null {
    return this.transport.address(productPath(ref, part), query as RequestOptions['query']);
  }
}

/** `products/<pool>/<number>/<part>` of a ref. */
export function productPath(ref: string, part = ''): string {
  const slash = ref.lastIndexOf('/');
  const label = encodeURIComponent(ref.slice(0, slash));
  return `products/${label}/${ref.slice(slash + 1)}${part && '/' + part}`;
}

function listed(pools: string[]): string | undefined {
  return pools.length ? pools.join(',') : undefined;
}

function options(given: {
  query?: RequestOptions['query'] | undefined;
  body?: RequestOptions['body'];
  signal?: Signal;
}): RequestOptions {
  const made: RequestOptions = {};
  if (given.query !== undefined) made.query = given.query;
  if (given.body !== undefined) made.body = given.body;
  if (given.signal !== undefined) made.signal = given.signal;
  return made;
}
