/** What part of an image is seen, and how large. Pixels have their centres at whole numbers. */

import type { ImageInfo, Level } from '../data';

export interface Viewport {
  /** Pixel of the image in the middle of the view. */
  x: number;
  y: number;
  /** Screen pixels of one pixel of the image. */
  scale: number;
}

export interface Size {
  width: number;
  height: number;
}

export interface TilePlace {
  level: number;
  row: number;
  column: number;
}

export const MOST_SCALE = 64;

export function imageSize(info: ImageInfo): Size {
  const [height = 1, width = 1] = info.levels[0]?.shape ?? [];
  return { width, height };
}

/** The whole image, in the middle; small ones are not enlarged beyond 32 times. */
export function fitted(image: Size, view: Size): Viewport {
  const scale = Math.min(view.width / image.width, view.height / image.height, 32);
  return { x: (image.width - 1) / 2, y: (image.height - 1) / 2, scale: scale > 0 ? scale : 1 };
}

/** Another scale, with a point of the screen where it was. */
export function zoomed(
  view: Viewport,
  factor: number,
  size: Size,
  least: number,
  at: { x: number; y: number } = { x: size.width / 2, y: size.height / 2 },
): Viewport {
  const scale = Math.min(MOST_SCALE, Math.max(Math.min(least, view.scale), view.scale * factor));
  const here = toImage(at.x, at.y, view, size);
  return {
    scale,
    x: here.x - (at.x - size.width / 2) / scale,
    y: here.y + (at.y - size.height / 2) / scale,
  };
}

/** Moved by screen pixels; the middle of the view stays in the image. */
export function panned(view: Viewport, dx: number, dy: number, image: Size): Viewport {
  return {
    scale: view.scale,
    x: clamp(view.x - dx / view.scale, -0.5, image.width - 0.5),
    y: clamp(view.y + dy / view.scale, -0.5, image.height - 0.5),
  };
}

export function toImage(
  x: number,
  y: number,
  view: Viewport,
  size: Size,
): { x: number; y: number } {
  return {
    x: view.x + (x - size.width / 2) / view.scale,
    y: view.y - (y - size.height / 2) / view.scale,
  };
}

export function toScreen(
  x: number,
  y: number,
  view: Viewport,
  size: Size,
): { x: number; y: number } {
  return {
    x: size.width / 2 + (x - view.x) * view.scale,
    y: size.height / 2 - (y - view.y) * view.scale,
  };
}

/** The pixel at a point of the screen, null outside of the image. */
export function pixelAt(
  x: number,
  y: number,
  view: Viewport,
  size: Size,
  image: Size,
): { x: number; y: number } | null {
  const at = toImage(x, y, view, size);
  const found = { x: Math.floor(at.x + 0.5), y: Math.floor(at.y + 0.5) };
  const inside = found.x >= 0 && found.y >= 0 && found.x < image.width && found.y < image.height;
  return inside ? found : null;
}

/** The level whose pixels are no larger than those of the screen. */
export function levelFor(scale: number, density: number, levels: readonly Level[]): number {
  const wanted = Math.floor(Math.log2(1 / (scale * density)) + 1e-9);
  return clamp(wanted, 0, levels.length - 1);
}

/** The tiles of a level that are seen, those in the middle first. */
export function tilesIn(
  view: Viewport,
  size: Size,
  level: Level,
  tile: number,
): TilePlace[] {
  const edge = tile * level.step;
  const topLeft = toImage(0, 0, view, size);
  const bottomRight = toImage(size.width, size.height, view, size);
  const rows = Math.ceil(level.shape[0] / tile);
  const columns = Math.ceil(level.shape[1] / tile);
  const first = (place: number, most: number) => clamp(Math.floor((place + 0.5) / edge), 0, most);
  const found: TilePlace[] = [];
  for (let row = first(bottomRight.y, rows - 1); row <= first(topLeft.y, rows - 1); row += 1) {
    const last = first(bottomRight.x, columns - 1);
    for (let column = first(topLeft.x, columns - 1); column <= last; column += 1) {
      found.push({ level: level.level, row, column });
    }
  }
  const distance = (place: TilePlace) =>
    Math.hypot((place.row + 0.5) * edge - view.y, (place.column + 0.5) * edge - view.x);
  return found.sort((a, b) => distance(a) - distance(b));
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
