/** Walking through a result and selecting in it, by keys and pointer; table and contact sheet alike. */

import type { Application } from '../lib/app.svelte';

/** What a press of a key or button does beside going there. */
export interface Modifiers {
  shift: boolean;
  ctrl: boolean;
}

export function modifiers(event: MouseEvent | KeyboardEvent): Modifiers {
  return { shift: event.shiftKey, ctrl: event.ctrlKey || event.metaKey };
}

export class Walk {
  /** Index of the row that keys act on; -1 before there is one. */
  current = $state(-1);
  private readonly app: Application;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private ranging = 0;

  constructor(app: Application) {
    this.app = app;
  }

  /** Another result: no row is the current one, and the selection means nothing any more. */
  reset(): void {
    this.current = -1;
    this.app.selection.anchor = null;
  }

  /**
   * Go to a row. Plain: only it is selected. Ctrl: the selection stays; with `toggle` (a click)
   * the row changes sides. Shift: what lies between the anchor and the row is selected.
   */
  async go(index: number, { shift, ctrl }: Modifiers, toggle = false): Promise<void> {
    const { selection, results } = this.app;
    if (!results.total) return;
    const at = Math.min(Math.max(0, index), results.total - 1);
    const from = selection.anchor ?? Math.max(0, this.current);
    this.current = at;
    this.open();
    if (shift) {
      selection.anchor = from;
      await this.range(from, at, ctrl);
      return;
    }
    this.ranging += 1;
    const ref = await this.ref(at);
    if (ref === null || this.current !== at) return;
    if (ctrl) {
      if (toggle) selection.toggle(ref);
    } else selection.only(ref);
    if (!ctrl || toggle) selection.anchor = at;
  }

  /** Select the current row, or take it out of the selection. */
  async toggle(): Promise<void> {
    const ref = await this.ref(this.current);
    if (ref === null) return;
    this.app.selection.toggle(ref);
    this.app.selection.anchor = this.current;
  }

  /** Show the details of the current row: soon, so that running through rows asks for none. */
  open(now = false): void {
    clearTimeout(this.timer);
    const show = () => {
      const ref = this.app.results.row(this.current)?.[0];
      if (ref !== undefined) this.app.search.open(ref);
    };
    if (now) show();
    else this.timer = setTimeout(show, 60);
  }

  private async range(from: number, to: number, more: boolean): Promise<void> {
    const mine = ++this.ranging;
    try {
      const refs = await this.app.results.refs(from, to);
      if (mine !== this.ranging) return;
      if (more) this.app.selection.add(refs);
      else this.app.selection.set(refs);
    } catch (error) {
      this.app.messages.fail(error);
    }
  }

  private async ref(index: number): Promise<string | null> {
    if (index < 0) return null;
    try {
      return (await this.app.results.refs(index, index))[0] ?? null;
    } catch (error) {
      this.app.messages.fail(error);
      return null;
    }
  }
}

/** Where a key leads from row `at`; null for keys that lead nowhere. */
export function destination(
  key: string,
  at: number,
  extent: { total: number; page: number; across: number },
): number | null {
  const { total, page, across } = extent;
  const from = Math.max(0, at);
  switch (key) {
    case 'ArrowDown':
    case 'j':
      return at < 0 ? 0 : from + across < total ? from + across : from;
    case 'ArrowUp':
    case 'k':
      return from - across >= 0 ? from - across : from;
    case 'ArrowRight':
      return across > 1 ? from + 1 : null;
    case 'ArrowLeft':
      return across > 1 ? from - 1 : null;
    case 'PageDown':
      return from + page * across;
    case 'PageUp':
      return from - page * across;
    case 'Home':
      return 0;
    case 'End':
      return total - 1;
    default:
      return null;
  }
}
