/** Drawing the map of the sky on a canvas. */

import type { Region } from '../lib/types';
import { boxRing, circle, SkyProjection } from './projection';

/** How many products are where, as `sky/density` tells. */
export interface Density {
  width: number;
  height: number;
  max: number;
  placed: number;
  cells: Uint32Array;
}

/** A product's outlines in ICRS; a ring of one point is a place. */
export type Outline = [string, [number, number][][]];

export interface Colours {
  sky: string;
  line: string;
  text: string;
  footprint: string;
  selected: string;
  region: string;
}

/** The density of a base64 text of little-endian numbers. */
export function readDensity(found: {
  width: number;
  height: number;
  max: number;
  placed: number;
  cells: string;
}): Density {
  const raw = atob(found.cells);
  const bytes = Uint8Array.from(raw, (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const cells = Uint32Array.from({ length: bytes.length >> 2 }, (_, n) => view.getUint32(4 * n, true));
  return { ...found, cells };
}

/** Cell of the density that a direction in its frame falls into. */
export function cellOf(density: Density, lon: number, lat: number): number {
  const column = Math.min(density.width - 1, Math.floor(((360 - lon) / 360) * density.width));
  const row = Math.min(density.height - 1, Math.floor(((90 - lat) / 180) * density.height));
  return row * density.width + Math.max(0, column);
}

/** Steps between lines of the graticule, degrees. */
export function graticuleStep(fov: number): number {
  return [30, 15, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01].find((step) => fov / step >= 4) ?? 0.005;
}

export class Drawing {
  private readonly context: CanvasRenderingContext2D;
  private readonly map: SkyProjection;
  private readonly colours: Colours;

  constructor(context: CanvasRenderingContext2D, map: SkyProjection, colours: Colours) {
    this.context = context;
    this.map = map;
    this.colours = colours;
  }

  sky(): void {
    const { context, map } = this;
    context.clearRect(0, 0, map.width, map.height);
    context.fillStyle = this.colours.sky;
    if (!map.whole) {
      context.fillRect(0, 0, map.width, map.height);
      return;
    }
    context.beginPath();
    const edge = map.point(map.view.lon - 180 + 1e-9, 0);
    const top = map.point(map.view.lon, 90);
    if (!edge || !top) return;
    const a = Math.abs(edge[0] - map.width / 2);
    const b = Math.abs(top[1] - map.height / 2);
    context.ellipse(map.width / 2, map.height / 2, a, b, 0, 0, 2 * Math.PI);
    context.fill();
    context.strokeStyle = this.colours.line;
    context.stroke();
  }

  density(density: Density): void {
    if (!density.max) return;
    const { map } = this;
    const step = map.width * map.height > 300_000 ? 2 : 1;
    const width = Math.ceil(map.width / step);
    const height = Math.ceil(map.height / step);
    const image = new ImageData(width, height);
    const [red, green, blue] = rgb(this.context, this.colours.footprint);
    const most = Math.log1p(density.max);
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        const found = map.direction((x + 0.5) * step, (y + 0.5) * step);
        if (!found) continue;
        const count = density.cells[cellOf(density, found[0], found[1])] ?? 0;
        if (!count) continue;
        const at = 4 * (y * width + x);
        image.data[at] = red;
        image.data[at + 1] = green;
        image.data[at + 2] = blue;
        image.data[at + 3] = 70 + 185 * (Math.log1p(count) / most);
      }
    }
    const layer = new OffscreenCanvas(width, height);
    layer.getContext('2d')?.putImageData(image, 0, 0);
    this.context.drawImage(layer, 0, 0, width * step, height * step);
  }

  graticule(): void {
    const { context, map } = this;
    context.strokeStyle = this.colours.line;
    context.lineWidth = 1;
    const step = graticuleStep(map.whole ? 180 : map.view.fov);
    const reach = map.whole ? 180 : Math.min(180, map.view.fov * 2);
    const first = Math.ceil((map.view.lon - reach) / step) * step;
    const low = map.whole ? -90 : Math.max(-90, map.view.lat - map.view.fov);
    const high = map.whole ? 90 : Math.min(90, map.view.lat + map.view.fov);
    for (let lon = first; lon <= map.view.lon + reach; lon += step) {
      this.line(lon, low, lon, high);
    }
    for (let lat = Math.ceil(low / step) * step; lat <= high; lat += step) {
      this.line(map.view.lon - reach + 1e-6, lat, map.view.lon + reach - 1e-6, lat);
    }
    this.labels(step, first, reach, low, high);
  }

  private labels(step: number, first: number, reach: number, low: number, high: number): void {
    const { context, map } = this;
    context.fillStyle = this.colours.text;
    context.font = '11px system-ui, sans-serif';
    const level = map.whole ? 0 : Math.round(map.view.lat / step) * step;
    const digits = step < 1 ? 2 : 0;
    for (let lon = first; lon < map.view.lon + reach; lon += 2 * step) {
      const text = `${(((lon % 360) + 360) % 360).toFixed(digits)}°`;
      this.label(text, map.point(lon, level));
    }
    const meridian = map.whole ? map.view.lon : Math.round(map.view.lon / step) * step;
    for (let lat = Math.ceil(low / step) * step; lat <= high; lat += 2 * step) {
      if (Math.abs(lat - level) > step / 2 && Math.abs(lat) < 90) {
        this.label(`${lat > 0 ? '+' : ''}${lat.toFixed(digits)}°`, map.point(meridian, lat));
      }
    }
  }

  private label(text: string, at: [number, number] | null): void {
    if (at) this.context.fillText(text, at[0] + 3, at[1] - 3);
  }

  private line(lon0: number, lat0: number, lon1: number, lat1: number): void {
    const steps = 60;
    const ring = Array.from({ length: steps + 1 }, (_, n) =>
      this.map.point(lon0 + ((lon1 - lon0) * n) / steps, lat0 + ((lat1 - lat0) * n) / steps),
    );
    this.path(ring, false);
    this.context.stroke();
  }

  /** A path through points, interrupted where it would cross the edge of the map. */
  private path(points: ([number, number] | null)[], closed: boolean): void {
    const { context, map } = this;
    context.beginPath();
    let last: [number, number] | null = null;
    let whole = true;
    for (const at of points) {
      const jump = last && at && Math.abs(at[0] - last[0]) > map.width / 2;
      if (!at) whole = false;
      else if (!last || jump) context.moveTo(at[0], at[1]);
      else context.lineTo(at[0], at[1]);
      if (jump) whole = false;
      last = at;
    }
    if (closed && whole) context.closePath();
  }

  outlines(found: Outline[], selected: (ref: string) => boolean): void {
    const chosen: Outline[] = [];
    this.context.lineWidth = 1;
    this.colour(this.colours.footprint);
    for (const outline of found) {
      if (selected(outline[0])) chosen.push(outline);
      else this.footprint(outline, 1.5);
    }
    this.context.lineWidth = 2.5;
    this.colour(this.colours.selected);
    for (const outline of chosen) this.footprint(outline, 4);
  }

  private colour(value: string): void {
    this.context.strokeStyle = value;
    this.context.fillStyle = value;
  }

  /** Outlines that are too small to be seen are dots. */
  private footprint([, rings]: Outline, least: number): void {
    for (const ring of rings) {
      const points = ring.map(([ra, dec]) => this.map.place(ra, dec));
      const first = points[0];
      if (!first) continue;
      const size = Math.max(...points.map((p) => (p ? Math.hypot(p[0] - first[0], p[1] - first[1]) : 0)));
      if (ring.length > 1 && size >= 2 * least) {
        this.path([...points, first], true);
        this.context.stroke();
      } else {
        this.context.beginPath();
        this.context.arc(first[0], first[1], least, 0, 2 * Math.PI);
        this.context.fill();
      }
    }
  }

  region(region: Region): void {
    const ring = region.circle ? circle(...region.circle) : region.box ? boxRing(...region.box) : [];
    this.context.lineWidth = 2;
    this.context.strokeStyle = this.colours.region;
    this.context.setLineDash([6, 4]);
    this.path(ring.map(([ra, dec]) => this.map.place(ra, dec)), true);
    this.context.stroke();
    this.context.setLineDash([]);
  }
}

function rgb(context: CanvasRenderingContext2D, colour: string): [number, number, number] {
  context.fillStyle = colour;
  const text = String(context.fillStyle);
  const parse = (at: number): number => parseInt(text.slice(at, at + 2), 16);
  return text.startsWith('#') ? [parse(1), parse(3), parse(5)] : [70, 120, 190];
}
