/** One selection for all panes: products by their refs, or all that match minus exceptions. */

import { SvelteSet } from 'svelte/reactivity';

import type { SelectionBody } from './types';

export class Selection {
  /** All products of the result are selected, but `except`. */
  all = $state(false);
  readonly refs = new SvelteSet<string>();
  readonly except = new SvelteSet<string>();
  /** Where a range chosen with shift starts, as an index into the result. */
  anchor: number | null = $state(null);

  has(ref: string): boolean {
    return this.all ? !this.except.has(ref) : this.refs.has(ref);
  }

  /** How many products are selected of a result of `total`. */
  count(total: number): number {
    return this.all ? Math.max(0, total - this.except.size) : this.refs.size;
  }

  only(ref: string): void {
    this.clear();
    this.refs.add(ref);
  }

  toggle(ref: string): void {
    const set = this.all ? this.except : this.refs;
    if (set.has(ref)) set.delete(ref);
    else set.add(ref);
  }

  set(refs: Iterable<string>): void {
    this.clear();
    for (const ref of refs) this.refs.add(ref);
  }

  add(refs: Iterable<string>): void {
    for (const ref of refs) {
      if (this.all) this.except.delete(ref);
      else this.refs.add(ref);
    }
  }

  remove(refs: Iterable<string>): void {
    for (const ref of refs) {
      if (this.all) this.except.add(ref);
      else this.refs.delete(ref);
    }
  }

  everything(): void {
    this.clear();
    this.all = true;
  }

  clear(): void {
    this.all = false;
    this.refs.clear();
    this.except.clear();
  }

  /** The selection as requests name it, null where nothing is selected. */
  body(cursor: string | null): SelectionBody | null {
    if (this.all && cursor) return { cursor, all: true, except: [...this.except] };
    return this.refs.size ? { refs: [...this.refs] } : null;
  }
}
