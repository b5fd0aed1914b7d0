/**
 * Scrolling through more rows than an element may be tall.
 *
 * Browsers cut elements at some height (Chromium) or draw nothing above it (Firefox, from 17.8
 * million pixels). So the element is never taller than `CAP`, and what it is scrolled by is scaled:
 * the scroll bar reaches every row, while the wheel, touch and keys move by true pixels.
 */

export const CAP = 6_000_000;

export interface Extent {
  /** Number of rows. */
  rows: number;
  /** Height of a row in pixels. */
  row: number;
  /** Height of the part in sight in pixels. */
  sight: number;
}

export class Scroller {
  rows = 0;
  row = 1;
  sight = 0;
  /** What is above the sight, in true pixels. */
  top = 0;
  /** Where the element stands, or should stand, in its own pixels. */
  bar = 0;

  /** Height that the element is to have. */
  get height(): number {
    return Math.min(this.rows * this.row, CAP);
  }

  /** The largest `top`. */
  get reach(): number {
    return Math.max(0, this.rows * this.row - this.sight);
  }

  /** True pixels for each pixel of the element; 1 where nothing is scaled. */
  get scale(): number {
    const bars = this.height - this.sight;
    return bars > 0 ? this.reach / bars : 1;
  }

  /** The element's extent has changed: stay at the row that is on top. */
  resize(extent: Extent): void {
    const index = this.row > 0 ? this.top / this.row : 0;
    Object.assign(this, extent);
    this.to(index * this.row);
  }

  /** Go to a place in true pixels. */
  to(top: number): void {
    this.top = Math.min(Math.max(0, top), this.reach);
    this.bar = Math.round(this.top / this.scale);
  }

  by(pixels: number): void {
    this.to(this.top + pixels);
  }

  /**
   * The element has been scrolled to `bar`. Short ways are touch or keys and mean true pixels, long
   * ones are the scroll bar, whose smallest step is many rows; its ends are those of the rows.
   */
  scrolled(bar: number): void {
    const moved = bar - this.bar;
    if (Math.abs(moved) < 1) return;
    if (this.scale === 1) this.top = bar;
    else if (bar <= 0) this.top = 0;
    else if (bar >= this.height - this.sight - 1) this.top = this.reach;
    else if (Math.abs(moved) < this.sight) this.top += moved;
    else this.top = bar * this.scale;
    this.top = Math.min(Math.max(0, this.top), this.reach);
    this.bar = bar;
  }

  /** First and last row of which something is in sight; last < first without rows. */
  get window(): [number, number] {
    const first = Math.floor(this.top / this.row);
    const last = Math.ceil((this.top + this.sight) / this.row) - 1;
    return [Math.max(0, first), Math.min(this.rows - 1, last)];
  }

  /** Rows that are wholly in sight, at least one: the step of Page Up and Page Down. */
  get page(): number {
    return Math.max(1, Math.floor(this.sight / this.row) - 1);
  }

  /** Scroll as little as needed to have a row wholly in sight. */
  reveal(index: number): void {
    const above = index * this.row;
    const below = above + this.row - this.sight;
    if (this.top > above) this.to(above);
    else if (this.top < below) this.to(below);
  }
}

/** True pixels that a wheel event means. */
export function wheelPixels(event: Pick<WheelEvent, 'deltaY' | 'deltaMode'>, row: number, sight: number): number {
  if (event.deltaMode === 1) return event.deltaY * row;
  if (event.deltaMode === 2) return event.deltaY * sight;
  return event.deltaY;
}
