import { describe, expect, it } from 'vitest';

import { cellOf, graticuleStep, readDensity } from './drawing';
import {
  ALL,
  boxRing,
  circle,
  fromFrame,
  moved,
  separation,
  SkyProjection,
  toFrame,
  vector,
  wrapped,
  zoomed,
  type View,
} from './projection';

const whole: View = { frame: 'icrs', lon: 0, lat: 0, fov: ALL };
const local: View = { frame: 'icrs', lon: 83.6, lat: 22, fov: 10 };

describe('projection', () => {
  it('comes back from the map to the sky, everywhere', () => {
    for (const view of [whole, { ...whole, lon: 200 }, local, { ...local, lat: -89, fov: 60 }]) {
      const map = new SkyProjection(view, 800, 420);
      for (let x = 5; x < 800; x += 53) {
        for (let y = 5; y < 420; y += 41) {
          const found = map.direction(x, y);
          if (!found) continue;
          const back = map.point(...found);
          expect(back).not.toBeNull();
          expect(back![0]).toBeCloseTo(x, 4);
          expect(back![1]).toBeCloseTo(y, 4);
        }
      }
    }
  });

  it('has no sky outside the whole of it', () => {
    const map = new SkyProjection(whole, 800, 400);
    expect(map.direction(2, 2)).toBeNull();
    expect(map.direction(400, 200)).toEqual([0, 0]);
  });

  it('has east to the left and north up', () => {
    for (const view of [whole, { ...local, lon: 0, lat: 0 }]) {
      const map = new SkyProjection(view, 800, 400);
      expect(map.point(5, 0)![0]).toBeLessThan(400);
      expect(map.point(0, 5)![1]).toBeLessThan(200);
    }
  });

  it('has scales that are right in the middle', () => {
    const map = new SkyProjection(local, 1000, 500);
    const [a, b] = [map.point(83.6, 22)!, map.point(83.6, 23)!];
    expect((a[1] - b[1]) * map.degreesPerPixel).toBeCloseTo(1, 2);
    expect(1000 * map.degreesPerPixel).toBeCloseTo(10, 1);
  });

  it('knows galactic coordinates', () => {
    const [l, b] = toFrame('galactic', 266.40499, -28.93617);
    expect(Math.abs(wrapped(l))).toBeLessThan(1e-3);
    expect(b).toBeCloseTo(0, 3);
    const [ra, dec] = fromFrame('galactic', 120, -40);
    const back = toFrame('galactic', ra, dec);
    expect(back[0]).toBeCloseTo(120, 9);
    expect(back[1]).toBeCloseTo(-40, 9);
  });

  it('zooms to a point and never beyond the sky', () => {
    let map = new SkyProjection(whole, 800, 400);
    const target = map.direction(250, 150)!;
    for (let n = 0; n < 30; n += 1) {
      const at = map.point(...target) ?? [400, 200];
      map = new SkyProjection(zoomed(map, 0.8, at[0], at[1]), 800, 400);
    }
    const middle = vector(map.view.lon, map.view.lat);
    expect(separation(middle, vector(...target))).toBeLessThan(map.view.fov);
    for (let n = 0; n < 60; n += 1) map = new SkyProjection(zoomed(map, 1.5, 1, 1), 800, 400);
    expect(map.view.fov).toBe(ALL);
  });

  it('moves', () => {
    const map = new SkyProjection(local, 800, 400);
    expect(moved(map, 0, 100).lat).toBeGreaterThan(22);
    expect(moved(map, 0, 1e6).lat).toBe(90);
  });

  it('knows between which coordinates it lies', () => {
    const map = new SkyProjection({ ...local, fov: 2 }, 800, 400);
    const [west, south, east, north] = map.bounds();
    expect([west < 82.6, south < 21.5, east > 84.6, north > 22.5]).toEqual([true, true, true, true]);
    expect(east - west).toBeLessThan(6);
    expect(new SkyProjection({ ...local, lat: 89.9 }, 800, 400).bounds()[2]).toBe(360);
  });
});

describe('shapes', () => {
  it('makes circles of one radius', () => {
    for (const [ra, dec, radius] of [[10, 80, 20], [0, -90, 5], [350, 0, 30]] as const) {
      for (const point of circle(ra, dec, radius)) {
        expect(separation(vector(...point), vector(ra, dec))).toBeCloseTo(radius, 6);
      }
    }
  });

  it('makes boxes across 0 h', () => {
    const ring = boxRing(350, -5, 10, 5);
    expect(Math.max(...ring.map(([ra]) => ra))).toBe(370);
    expect(ring[0]).toEqual([350, -5]);
  });
});

describe('density', () => {
  it('is read as the server writes it', () => {
    const bytes = new Uint8Array(new Uint32Array([0, 1, 70000, 5, 0, 0, 0, 2]).buffer);
    const cells = btoa(String.fromCharCode(...bytes));
    const density = readDensity({ width: 4, height: 2, max: 70000, placed: 4, cells });
    expect([...density.cells]).toEqual([0, 1, 70000, 5, 0, 0, 0, 2]);
    expect(cellOf(density, 359, 80)).toBe(0);
    expect(cellOf(density, 0, -90)).toBe(7);
    expect(cellOf(density, 100, 10)).toBe(2);
  });

  it('has lines enough at every scale', () => {
    for (const fov of [180, 60, 10, 1, 0.1]) {
      const count = fov / graticuleStep(fov);
      expect(count).toBeGreaterThanOrEqual(4);
      expect(count).toBeLessThan(13);
    }
  });
});
