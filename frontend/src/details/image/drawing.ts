/** Draws the tiles of a viewport, and what lies over them. */

import type { Compass, ImageInfo } from '../data';
import type { Painted, Tiles } from './tiles';
import { imageSize, levelFor, tilesIn, toScreen, type Size, type Viewport } from './viewport';

export interface Scene {
  info: ImageInfo;
  plane: number;
  view: Viewport;
  size: Size;
  density: number;
  painted: Painted;
}

/** The tiles that a scene needs, those in the middle first. */
export function needed(scene: Scene) {
  const { info, view, size, density } = scene;
  const level = info.levels[levelFor(view.scale, density, info.levels)];
  return level ? tilesIn(view, size, level, info.tile) : [];
}

/** Draw what is here of an image; NaN and what is still to come show the hatching. */
export function drawImage(context: CanvasRenderingContext2D, scene: Scene, tiles: Tiles): void {
  const { info, view, size, plane, painted } = scene;
  const image = imageSize(info);
  const topLeft = toScreen(-0.5, image.height - 0.5, view, size);
  const bottomRight = toScreen(image.width - 0.5, -0.5, view, size);
  context.save();
  context.beginPath();
  context.rect(topLeft.x, topLeft.y, bottomRight.x - topLeft.x, bottomRight.y - topLeft.y);
  context.clip();
  context.fillStyle = hatching(context);
  context.fill();
  const wanted = levelFor(view.scale, scene.density, info.levels);
  // Coarser tiles stand in for those that are still to come.
  for (let number = info.levels.length - 1; number >= wanted; number -= 1) {
    const level = info.levels[number]!;
    const enlarged = view.scale * level.step * scene.density >= 1;
    context.imageSmoothingEnabled = !enlarged;
    const edge = info.tile * level.step;
    for (const place of tilesIn(view, size, level, info.tile)) {
      const picture = tiles.picture(plane, place, painted);
      if (!picture) continue;
      const left = place.column * edge - 0.5;
      const bottom = place.row * edge - 0.5;
      const corner = toScreen(left, bottom + picture.height * level.step, view, size);
      const end = toScreen(left + picture.width * level.step, bottom, view, size);
      // At whole pixels of the screen tiles meet without a seam.
      const [x, y, right, low] = [corner.x, corner.y, end.x, end.y].map(
        (place) => Math.round(place * scene.density) / scene.density,
      ) as [number, number, number, number];
      const width = right - x;
      const height = low - y;
      context.clearRect(x, y, width, height);
      context.fillRect(x, y, width, height);
      context.drawImage(picture, x, y, width, height);
    }
  }
  context.restore();
}

let pattern: CanvasPattern | null = null;

/** Thin lines on a middle grey, which no map of colours has. */
function hatching(context: CanvasRenderingContext2D): CanvasPattern | string {
  if (pattern === null) {
    const tile = document.createElement('canvas');
    tile.width = tile.height = 8;
    const own = tile.getContext('2d');
    if (own) {
      own.fillStyle = '#7d838b';
      own.fillRect(0, 0, 8, 8);
      own.strokeStyle = '#9aa1aa';
      own.lineWidth = 1.5;
      for (const shift of [-8, 0, 8]) {
        own.beginPath();
        own.moveTo(shift, 8);
        own.lineTo(shift + 8, 0);
        own.stroke();
      }
      pattern = context.createPattern(tile, 'repeat');
    }
  }
  return pattern ?? '#7d838b';
}

/** A cross at a pixel, visible on light and dark. */
export function drawCross(
  context: CanvasRenderingContext2D,
  at: { x: number; y: number },
  view: Viewport,
  size: Size,
): void {
  const { x, y } = toScreen(at.x, at.y, view, size);
  const gap = Math.max(4, view.scale / 2 + 1);
  for (const [colour, width] of [
    ['#000000', 3],
    ['#ffffff', 1],
  ] as const) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]] as const) {
      context.moveTo(x + dx * gap, y + dy * gap);
      context.lineTo(x + dx * (gap + 9), y + dy * (gap + 9));
    }
    context.stroke();
  }
}

/** Arrows to north and east in the lower right corner. */
export function drawCompass(
  context: CanvasRenderingContext2D,
  compass: Compass,
  size: Size,
): void {
  const length = 30;
  const x = size.width - 52;
  const y = size.height - 52;
  context.save();
  context.font = '600 12px system-ui, sans-serif';
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  for (const [letter, [dx, dy]] of [
    ['N', compass.north],
    ['E', compass.east],
  ] as const) {
    const tip = { x: x + dx * length, y: y - dy * length };
    for (const [colour, width] of [
      ['rgb(0 0 0 / 70%)', 4],
      ['#ffffff', 1.8],
    ] as const) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(tip.x, tip.y);
      context.stroke();
    }
    const at = { x: x + dx * (length + 11), y: y - dy * (length + 11) };
    context.lineWidth = 3;
    context.strokeStyle = 'rgb(0 0 0 / 70%)';
    context.strokeText(letter, at.x, at.y);
    context.fillStyle = '#ffffff';
    context.fillText(letter, at.x, at.y);
  }
  context.restore();
}

/** Boxes around pixels, [x0, y0, x1, y1] with the last one not included. */
export function drawBoxes(
  context: CanvasRenderingContext2D,
  boxes: readonly (readonly [number, number, number, number])[],
  view: Viewport,
  size: Size,
): void {
  for (const [x0, y0, x1, y1] of boxes) {
    const a = toScreen(x0 - 0.5, y1 - 0.5, view, size);
    const b = toScreen(x1 - 0.5, y0 - 0.5, view, size);
    for (const [colour, width] of [
      ['rgb(0 0 0 / 75%)', 4],
      ['#ffd23f', 2],
    ] as const) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.strokeRect(a.x - 3, a.y - 3, b.x - a.x + 6, b.y - a.y + 6);
    }
  }
}
