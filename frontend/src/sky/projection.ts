/** From the sky to the map and back: all of it by Hammer-Aitoff, parts of it round their middle. */

export type Vector = readonly [number, number, number];
export type Frame = 'icrs' | 'galactic';

/** What is looked at. */
export interface View {
  frame: Frame;
  /** Middle of the map, degrees in the frame. */
  lon: number;
  lat: number;
  /** Width in degrees; `ALL` shows the whole sky. */
  fov: number;
}

export const ALL = 360;
/** From here on the map is one of a part of the sky. */
export const LOCAL = 150;
const NEAREST = 0.02;

const RAD = Math.PI / 180;
const ROOT2 = Math.SQRT2;

// Columns are the axes of galactic coordinates in ICRS (Reid & Brunthaler 2004).
const GALACTIC = [
  [-0.05487565771259163, 0.4941094371927268, -0.8676661375596576],
  [-0.8734370519556159, -0.4448297212232952, -0.19807633727300053],
  [-0.48383507361671546, 0.7469821839866676, 0.4559838136873016],
] as const;

export function vector(lon: number, lat: number): Vector {
  const c = Math.cos(lat * RAD);
  return [c * Math.cos(lon * RAD), c * Math.sin(lon * RAD), Math.sin(lat * RAD)];
}

/** Longitude from 0 to 360 and latitude of a vector, degrees. */
export function angles([x, y, z]: Vector): [number, number] {
  const lon = Math.atan2(y, x) / RAD;
  return [lon < 0 ? lon + 360 : lon, Math.atan2(z, Math.hypot(x, y)) / RAD];
}

/** Degrees between two directions. */
export function separation(a: Vector, b: Vector): number {
  const cross = Math.hypot(
    a[1] * b[2] - a[2] * b[1],
    a[2] * b[0] - a[0] * b[2],
    a[0] * b[1] - a[1] * b[0],
  );
  return Math.atan2(cross, a[0] * b[0] + a[1] * b[1] + a[2] * b[2]) / RAD;
}

/** Longitude and latitude in a frame of a direction in ICRS. */
export function toFrame(frame: Frame, ra: number, dec: number): [number, number] {
  if (frame === 'icrs') return [((ra % 360) + 360) % 360, dec];
  const v = vector(ra, dec);
  const turned = [0, 1, 2].map(
    (n) => GALACTIC[0][n]! * v[0] + GALACTIC[1][n]! * v[1] + GALACTIC[2][n]! * v[2],
  );
  return angles(turned as unknown as Vector);
}

/** Right ascension and declination of a direction in a frame. */
export function fromFrame(frame: Frame, lon: number, lat: number): [number, number] {
  if (frame === 'icrs') return [((lon % 360) + 360) % 360, lat];
  const v = vector(lon, lat);
  const turned = GALACTIC.map((row) => row[0] * v[0] + row[1] * v[1] + row[2] * v[2]);
  return angles(turned as unknown as Vector);
}

/** A map of a size in pixels. Points are pixels from its upper left corner. */
export class SkyProjection {
  readonly view: View;
  readonly width: number;
  readonly height: number;
  readonly whole: boolean;
  /** Pixels for one unit of the plane. */
  private readonly scale: number;
  private readonly sin: number;
  private readonly cos: number;

  constructor(view: View, width: number, height: number) {
    this.view = view;
    this.width = width;
    this.height = height;
    this.whole = view.fov > LOCAL;
    this.scale = this.whole
      ? Math.min(width / (4 * ROOT2), height / (2 * ROOT2)) * 0.96 * (ALL / view.fov)
      : width / (4 * Math.sin((view.fov * RAD) / 4));
    this.sin = Math.sin(view.lat * RAD);
    this.cos = Math.cos(view.lat * RAD);
  }

  /** Degrees that a pixel in the middle is wide. */
  get degreesPerPixel(): number {
    return 1 / (this.scale * RAD);
  }

  /** Where a direction in the frame is drawn; null where it is not on the map. */
  point(lon: number, lat: number): [number, number] | null {
    const away = wrapped(lon - this.view.lon) * RAD;
    const phi = lat * RAD;
    let x: number;
    let y: number;
    if (this.whole) {
      const z = Math.sqrt(1 + Math.cos(phi) * Math.cos(away / 2));
      x = (2 * ROOT2 * Math.cos(phi) * Math.sin(away / 2)) / z;
      y = (ROOT2 * Math.sin(phi)) / z;
    } else {
      const c = this.sin * Math.sin(phi) + this.cos * Math.cos(phi) * Math.cos(away);
      if (c < -0.9) return null;
      const k = Math.sqrt(2 / (1 + c));
      x = k * Math.cos(phi) * Math.sin(away);
      y = k * (this.cos * Math.sin(phi) - this.sin * Math.cos(phi) * Math.cos(away));
    }
    // East is to the left, as on the sky.
    return [this.width / 2 - x * this.scale, this.height / 2 - y * this.scale];
  }

  /** Direction in the frame of a point of the map; null where there is no sky. */
  direction(px: number, py: number): [number, number] | null {
    const x = (this.width / 2 - px) / this.scale;
    const y = (this.height / 2 - py) / this.scale;
    if (this.whole) {
      if ((x * x) / 8 + (y * y) / 2 > 1) return null;
      const z = Math.sqrt(1 - (x * x) / 16 - (y * y) / 4);
      const lon = 2 * Math.atan2(z * x, 2 * (2 * z * z - 1));
      return [positive(this.view.lon + lon / RAD), Math.asin(clamp(z * y)) / RAD];
    }
    const rho = Math.hypot(x, y);
    if (rho > 2) return null;
    if (rho === 0) return [positive(this.view.lon), this.view.lat];
    const c = 2 * Math.asin(rho / 2);
    const [s, k] = [Math.sin(c), Math.cos(c)];
    const lat = Math.asin(clamp(k * this.sin + (y * s * this.cos) / rho));
    const lon = Math.atan2(x * s, rho * this.cos * k - y * this.sin * s);
    return [positive(this.view.lon + lon / RAD), lat / RAD];
  }

  /** Where a direction in ICRS is drawn. */
  place(ra: number, dec: number): [number, number] | null {
    return this.point(...toFrame(this.view.frame, ra, dec));
  }

  /** Right ascension and declination of a point of the map. */
  sky(px: number, py: number): [number, number] | null {
    const found = this.direction(px, py);
    return found && fromFrame(this.view.frame, ...found);
  }

  /** Right ascensions and declinations, in ICRS, between which all of the map lies. */
  bounds(): [number, number, number, number] {
    if (this.whole) return [0, -90, 360, 90];
    const [ra, dec] = fromFrame(this.view.frame, this.view.lon, this.view.lat);
    const half = (Math.hypot(this.width, this.height) / 2) * this.degreesPerPixel * 1.2;
    const south = Math.max(-90, dec - half);
    const north = Math.min(90, dec + half);
    if (south === -90 || north === 90) return [0, south, 360, north];
    const wide = half / Math.cos(Math.max(Math.abs(south), Math.abs(north)) * RAD);
    return wide >= 180 ? [0, south, 360, north] : [ra - wide, south, ra + wide, north];
  }
}

/** The view nearer or farther by a factor, with a point of the map staying where it is. */
export function zoomed(map: SkyProjection, factor: number, px: number, py: number): View {
  const fov = Math.min(ALL, Math.max(NEAREST, map.view.fov * factor));
  if (fov >= ALL) return { ...map.view, fov: ALL, lat: 0 };
  const wanted = map.direction(px, py);
  if (!wanted) return { ...map.view, fov };
  const share = 1 - fov / map.view.fov;
  const entering = map.whole && fov <= LOCAL;
  const lon = map.view.lon + wrapped(wanted[0] - map.view.lon) * (entering ? 1 : share);
  const lat = map.view.lat + (wanted[1] - map.view.lat) * (entering ? 1 : share);
  return { ...map.view, fov, lon: positive(lon), lat: fov > LOCAL ? 0 : limited(lat) };
}

/** A view of numbers that somebody else gave, within its limits. */
export function limitedView(lon: number, lat: number, fov: number): Omit<View, 'frame'> {
  const wide = Math.min(ALL, Math.max(NEAREST, fov));
  return { lon: positive(lon), lat: wide > LOCAL ? 0 : limited(lat), fov: wide };
}

/** The view moved by pixels. */
export function moved(map: SkyProjection, dx: number, dy: number): View {
  const degrees = map.degreesPerPixel;
  const across = Math.max(0.1, Math.cos(map.view.lat * RAD));
  const lon = positive(map.view.lon + (dx * degrees) / (map.whole ? 1 : across));
  return { ...map.view, lon, lat: map.whole ? 0 : limited(map.view.lat + dy * degrees) };
}

/** The points of a circle on the sky, in ICRS. */
export function circle(ra: number, dec: number, radius: number, count = 72): [number, number][] {
  const [c, s] = [Math.cos(radius * RAD), Math.sin(radius * RAD)];
  const [sd, cd] = [Math.sin(dec * RAD), Math.cos(dec * RAD)];
  return Array.from({ length: count + 1 }, (_, n) => {
    const t = (2 * Math.PI * n) / count;
    const lat = Math.asin(clamp(sd * c + cd * s * Math.cos(t)));
    const lon = Math.atan2(Math.sin(t) * s * cd, c - sd * Math.sin(lat));
    return [positive(ra + lon / RAD), lat / RAD];
  });
}

/** The points round a box between two meridians and two parallels, in ICRS. */
export function boxRing(west: number, south: number, east: number, north: number): [number, number][] {
  const width = east - west >= 360 ? 360 : positive(east - west);
  const steps = 24;
  const along = (n: number): number => west + (width * n) / steps;
  const up = (n: number): number => south + ((north - south) * n) / steps;
  const ring: [number, number][] = [];
  for (let n = 0; n <= steps; n += 1) ring.push([along(n), south]);
  for (let n = 0; n <= steps; n += 1) ring.push([west + width, up(n)]);
  for (let n = steps; n >= 0; n -= 1) ring.push([along(n), north]);
  for (let n = steps; n >= 0; n -= 1) ring.push([west, up(n)]);
  return ring;
}

export function wrapped(degrees: number): number {
  const turned = positive(degrees);
  return turned > 180 ? turned - 360 : turned;
}

function positive(degrees: number): number {
  const turned = degrees % 360;
  return turned < 0 ? turned + 360 : turned;
}

function clamp(value: number): number {
  return Math.max(-1, Math.min(1, value));
}

function limited(lat: number): number {
  return Math.max(-90, Math.min(90, lat));
}
