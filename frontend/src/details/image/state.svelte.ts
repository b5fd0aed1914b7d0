/** How an image is looked at: part, plane, limits, stretch, colours, and the pixel pointed at. */

import { remember, remembered } from '../../lib/remembered';
import type { ImageInfo } from '../data';
import { COLOUR_MAPS, type ColourMap } from './colours';
import { colourTable, STRETCHES, type Stretch, type Style } from './stretch';
import type { Painted } from './tiles';
import {
  fitted,
  imageSize,
  MOST_SCALE,
  panned,
  pixelAt,
  zoomed,
  type Size,
  type Viewport,
} from './viewport';

export interface Point {
  x: number;
  y: number;
}

/** Limits by name, as the server gives them; `manual` ones are the user's. */
export const LIMIT_NAMES: Record<string, string> = {
  minmax: 'Minimum to maximum',
  zscale: 'Around the background (zscale)',
  '99.9': '99.9 % of the pixels',
  '99.5': '99.5 % of the pixels',
  '99': '99 % of the pixels',
  '98': '98 % of the pixels',
  '95': '95 % of the pixels',
  '90': '90 % of the pixels',
  manual: 'By hand',
};

export class ImageState {
  readonly info: ImageInfo;
  readonly image: Size;
  plane = $state(0);
  size: Size = $state.raw({ width: 0, height: 0 });
  /** The whole image is shown, whatever the size of the view. */
  fit = $state(true);
  stretch: Stretch = $state('asinh');
  colours: ColourMap = $state('gray');
  inverted = $state(false);
  limits = $state('99.5');
  manual: [number, number] = $state.raw([0, 1]);
  /** The pixel under the pointer, or where keys moved the cross. */
  cursor: Point | null = $state.raw(null);
  /** The cross stays where it was put. */
  pinned = $state(false);
  private chosen: Viewport = $state.raw({ x: 0, y: 0, scale: 1 });

  constructor(info: ImageInfo) {
    this.info = info;
    this.image = imageSize(info);
    this.plane = info.planes > 1 ? Math.floor(info.planes / 2) : 0;
    this.manual = [info.low, info.high];
    const kept = remembered<Partial<Style> & { limits?: string }>('image.style', {});
    if (STRETCHES.includes(kept.stretch as Stretch)) this.stretch = kept.stretch as Stretch;
    if (COLOUR_MAPS.includes(kept.colours as ColourMap)) this.colours = kept.colours as ColourMap;
    this.inverted = kept.inverted === true;
    if (kept.limits !== undefined && kept.limits in info.limits) this.limits = kept.limits;
    if (!(this.limits in info.limits)) this.limits = 'minmax';
  }

  /** What is seen. */
  get view(): Viewport {
    return this.fit ? fitted(this.image, this.size) : this.chosen;
  }

  readonly between: [number, number] = $derived.by(() => {
    const [low, high] = this.info.limits[this.limits] ?? this.manual;
    return [low, high];
  });

  readonly style: Style = $derived({
    stretch: this.stretch,
    colours: this.colours,
    inverted: this.inverted,
    low: this.between[0],
    high: this.between[1],
  });

  readonly painted: Painted = $derived(this.paintedFor(this.style));

  paintedFor(style: Style): Painted {
    const { offset, scale } = this.info.scaling;
    return {
      style,
      table: colourTable(style, this.info.quantiles),
      low: style.low / scale - offset / scale,
      high: style.high / scale - offset / scale,
    };
  }

  /** Keep how images are shown for the next one. */
  keep(): void {
    const { stretch, colours, inverted, limits } = this;
    remember('image.style', { stretch, colours, inverted, limits });
  }

  setLimits(name: string): void {
    this.manual = [...this.between];
    this.limits = name;
    if (name !== 'manual') this.keep();
  }

  setManual(low: number, high: number): void {
    if (!Number.isFinite(low) || !Number.isFinite(high)) return;
    this.limits = 'manual';
    this.manual = [low, high];
  }

  zoom(factor: number, at?: Point): void {
    const least = fitted(this.image, this.size).scale / 4;
    this.show(zoomed(this.view, factor, this.size, least, at));
  }

  /** One pixel of the image is one of the screen. */
  zoomTo(scale: number): void {
    this.zoom(Math.min(scale, MOST_SCALE) / this.view.scale);
  }

  pan(dx: number, dy: number): void {
    this.show(panned(this.view, dx, dy, this.image));
  }

  show(view: Viewport): void {
    this.chosen = view;
    this.fit = false;
  }

  pointAt(x: number, y: number): void {
    if (!this.pinned) this.cursor = pixelAt(x, y, this.view, this.size, this.image);
  }

  pin(x: number, y: number): void {
    const found = pixelAt(x, y, this.view, this.size, this.image);
    this.pinned = found !== null;
    this.cursor = found;
  }

  unpin(): void {
    this.pinned = false;
    this.cursor = null;
  }

  /** Move the cross by pixels of the image, and the view with it where it leaves it. */
  moveCross(dx: number, dy: number): void {
    const { view, image, size } = this;
    const from = this.cursor ?? { x: Math.round(view.x), y: Math.round(view.y) };
    const x = Math.min(image.width - 1, Math.max(0, from.x + (this.cursor ? dx : 0)));
    const y = Math.min(image.height - 1, Math.max(0, from.y + (this.cursor ? dy : 0)));
    this.cursor = { x, y };
    this.pinned = true;
    const away = Math.max(
      Math.abs(x - view.x) * view.scale - size.width / 2,
      Math.abs(y - view.y) * view.scale - size.height / 2,
    );
    if (away > -10) this.show({ ...view, x, y });
  }
}
