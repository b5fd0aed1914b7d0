/** How an image is looked at: part, plane, limits, stretch, colours, and the pixel pointed at. */

import type { Look } from '../../lib/address';
import { numbers, short } from '../../lib/looks';
import { remember, remembered } from '../../lib/remembered';
import type { ImageInfo } from '../data';
import { COLOUR_MAPS, type ColourMap } from './colours';
import { colourTable, STRETCHES, type Stretch, type Style } from './stretch';
import type { Painted } from './tiles';
import {
  clamp,
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

const USUAL = { stretch: 'asinh', colours: 'gray', limits: '99.5' } as const;
type Kept = Partial<Style> & { limits?: string };

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

  /** With the look of an address; without one, as the last image was shown. */
  constructor(info: ImageInfo, look: Look | null = null) {
    this.info = info;
    this.image = imageSize(info);
    this.manual = [info.low, info.high];
    const kept = look ? {} : remembered<Kept>('image.style', {});
    this.take(
      look ?? {
        stretch: kept.stretch ?? '',
        colours: kept.colours ?? '',
        invert: String(kept.inverted === true),
        cuts: kept.limits ?? '',
      },
    );
  }

  /** Show the image in the way that an address tells. */
  take(look: Look): void {
    const { info } = this;
    const has = <T extends string>(all: readonly T[], one: string | undefined, usual: T): T =>
      all.includes(one as T) ? (one as T) : usual;
    this.stretch = has<Stretch>(STRETCHES, look.stretch, USUAL.stretch);
    this.colours = has<ColourMap>(COLOUR_MAPS, look.colours, USUAL.colours);
    this.inverted = look.invert === 'true';
    const cuts = numbers(look.cuts, 2, '..');
    if (cuts) this.manual = [cuts[0]!, cuts[1]!];
    const named = has(Object.keys(info.limits), look.cuts, this.usualLimits);
    this.limits = cuts ? 'manual' : named;
    const plane = numbers(look.plane, 1)?.[0] ?? Math.floor(info.planes / 2) + 1;
    this.plane = info.planes > 1 ? clamp(Math.round(plane) - 1, 0, info.planes - 1) : 0;
    const [scale, x, y] = numbers(look.zoom, 3) ?? [];
    this.fit = !(scale! > 0);
    if (!this.fit) this.chosen = { scale: Math.min(scale!, MOST_SCALE), x: x! - 1, y: y! - 1 };
    const [column, row] = numbers(look.pixel, 2) ?? [];
    this.unpin();
    if (column !== undefined) this.pinAt(Math.round(column) - 1, Math.round(row!) - 1);
  }

  private get usualLimits(): string {
    return USUAL.limits in this.info.limits ? USUAL.limits : 'minmax';
  }

  /** How the image is shown, as an address tells it: pixels and planes count from 1, as in FITS. */
  get told(): Look {
    const { stretch, colours, limits, cursor, view } = this;
    const cuts = limits === 'manual' ? this.manual.map((one) => short(one)).join('..') : limits;
    const zoom = [short(view.scale, 4), (view.x + 1).toFixed(1), (view.y + 1).toFixed(1)];
    return {
      stretch: stretch === USUAL.stretch ? '' : stretch,
      colours: colours === USUAL.colours ? '' : colours,
      invert: this.inverted ? 'true' : '',
      cuts: cuts === this.usualLimits ? '' : cuts,
      plane: this.info.planes > 1 ? `${this.plane + 1}` : '',
      zoom: this.fit ? '' : zoom.join(','),
      pixel: this.pinned && cursor ? `${cursor.x + 1},${cursor.y + 1}` : '',
    };
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

  private pinAt(x: number, y: number): void {
    const { width, height } = this.image;
    if (x < 0 || y < 0 || x >= width || y >= height) return;
    this.cursor = { x, y };
    this.pinned = true;
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
