/** Moving through a result: scrolling, keys, pointer and menu, for the table and the contact sheet. */

import { untrack } from 'svelte';

import type { Application } from '../lib/app.svelte';
import { Scroller, wheelPixels } from './scrolling';
import { destination, modifiers, type Walk } from './walk.svelte';

/** How a result lies in its element. */
export interface Layout {
  /** Height of a line in pixels, and of what is in sight of all lines. */
  line: number;
  sight: number;
  /** How many products are beside each other in a line. */
  across: number;
}

/** Lines that are drawn. */
export interface Drawn {
  /** Height of the element that is scrolled. */
  height: number;
  first: number;
  last: number;
  /** Where the first of them stands below the upper edge of what is in sight. */
  shift: number;
  /** How many elements lines take turns in: one that goes out of sight gives its own to another. */
  slots: number;
}

export interface Options {
  walk: Walk;
  /** The element that is scrolled, once it is there. */
  element: () => HTMLElement;
  layout: () => Layout;
  /** Lines that are drawn above and below what is in sight. */
  beside: number;
  /** What the ids of products in the page begin with: `row`, `tile`. */
  mark: string;
  onopen: () => void;
}

/** Made while its component is made: it has effects of its own. */
export class Moving {
  readonly scroller = new Scroller();
  drawn: Drawn = $state.raw({ height: 0, first: 0, last: -1, shift: 0, slots: 1 });
  private readonly app: Application;
  private readonly options: Options;
  /** Where the element stands; to ask it would have the browser lay out the page at once. */
  private stands = 0;

  constructor(app: Application, options: Options) {
    this.app = app;
    this.options = options;
    const { element, layout, walk } = options;
    const { results } = app;

    $effect(() => {
      const { line, sight, across } = layout();
      this.scroller.resize({ rows: Math.ceil(results.total / across), row: line, sight });
      untrack(() => {
        this.draw();
        // The element has its new height only after it is drawn.
        requestAnimationFrame(() => element() && this.place());
      });
    });

    // Another result starts at its top.
    $effect(() => {
      void results.cursor;
      untrack(() => {
        this.scroller.to(0);
        this.place();
      });
    });

    $effect(() => {
      const index = walk.current;
      if (index < 0) return;
      untrack(() => {
        this.scroller.reveal(Math.floor(index / layout().across));
        this.place();
      });
    });

    // Not passive: the wheel moves by true pixels, where the scroll bar is scaled.
    $effect(() => {
      const scrolled = element();
      const turn = (event: WheelEvent) => this.turn(event);
      scrolled.addEventListener('wheel', turn, { passive: false });
      return () => scrolled.removeEventListener('wheel', turn);
    });
  }

  /** First and last product that is drawn; last < first without any. */
  get products(): [number, number] {
    const { across } = this.options.layout();
    const last = Math.min(this.app.results.total, (this.drawn.last + 1) * across) - 1;
    return [this.drawn.first * across, last];
  }

  /** The id of the element of the current product, where it is drawn. */
  get active(): string | undefined {
    const { walk, mark } = this.options;
    const [first, last] = this.products;
    return walk.current >= first && walk.current <= last ? `${mark}-${walk.current}` : undefined;
  }

  /** The element was scrolled. */
  scrolled(): void {
    this.stands = this.options.element().scrollTop;
    this.scroller.scrolled(this.stands);
    this.draw();
  }

  /** Take a key; false where it means nothing here. */
  key(event: KeyboardEvent): boolean {
    const { walk, layout, onopen } = this.options;
    const { results, selection } = this.app;
    const known = modifiers(event);
    const extent = { total: results.total, page: this.scroller.page, across: layout().across };
    const to = event.altKey ? null : destination(event.key, walk.current, extent);
    if (to !== null && !(known.ctrl && event.key.length === 1)) void walk.go(to, known);
    else if (event.key === 'Enter') onopen();
    else if (event.key === ' ' && known.ctrl) void walk.toggle();
    else if (event.key === 'a' && known.ctrl) selection.everything();
    else if (event.key === 'Escape' && selection.count(results.total) > 0) selection.clear();
    else return false;
    event.preventDefault();
    return true;
  }

  /** The product that an event of the pointer is on, -1 for none. */
  indexOf(event: Event): number {
    const found = (event.target as HTMLElement).closest<HTMLElement>('[data-index]');
    return found ? Number(found.dataset.index) : -1;
  }

  /** Go to what was pressed; with `opens` a plain press, beside the box, opens it too. */
  press(event: MouseEvent, opens = false): void {
    const index = this.indexOf(event);
    if (index < 0) return;
    const check = (event.target as HTMLElement).closest('[data-check]') !== null;
    const known = modifiers(event);
    void this.options.walk.go(index, check ? { ...known, ctrl: true } : known, true);
    if (opens && !check && !known.shift && !known.ctrl) this.options.onopen();
  }

  /** Ask for the menu: at the pointer, or beside the current product where a key asks. */
  async menu(event: MouseEvent): Promise<void> {
    const { walk, mark, element, layout } = this.options;
    const { results, selection } = this.app;
    const on = this.indexOf(event);
    if (on < 0 && event.target !== element()) return; // such as the head of the table
    event.preventDefault();
    const pointed = event.button === 2 && event.clientX > 0;
    const index = on < 0 ? walk.current : on;
    const box = (element().querySelector(`#${mark}-${index}`) ?? element()).getBoundingClientRect();
    const down = Math.min(30, layout().line);
    const at = pointed
      ? { x: event.clientX, y: event.clientY }
      : { x: box.left + 2 * down, y: box.top + down };
    const row = index < 0 ? undefined : results.row(index);
    if (row && !selection.has(row[0])) await walk.go(index, { shift: false, ctrl: false });
    this.app.menu = at;
  }

  private draw(): void {
    const { scroller } = this;
    const { beside, layout } = this.options;
    const { across } = layout();
    const [above, below] = scroller.window;
    const first = Math.max(0, above - beside);
    const last = Math.min(scroller.rows - 1, below + beside);
    const shift = first * scroller.row - scroller.top;
    const slots = Math.ceil(scroller.sight / scroller.row) + 2 * (beside + 1);
    this.drawn = { height: scroller.height, first, last, shift, slots };
    this.app.results.want(first * across, (last + 1) * across - 1);
  }

  /** Move the element to where the scroller stands; the event of that is then an echo. */
  private place(): void {
    if (Math.round(this.stands) !== this.scroller.bar) {
      const element = this.options.element();
      element.scrollTop = this.scroller.bar;
      this.stands = element.scrollTop;
    }
    this.draw();
  }

  private turn(event: WheelEvent): void {
    if (event.ctrlKey || event.shiftKey || this.scroller.scale === 1) return;
    event.preventDefault();
    this.scroller.by(wheelPixels(event, this.scroller.row, this.scroller.sight));
    this.options.element().scrollLeft += event.deltaX;
    this.place();
  }
}
