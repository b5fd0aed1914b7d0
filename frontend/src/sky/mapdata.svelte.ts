/** What the map shows of a result: its density, and outlines once there are few in sight. */

import type { Api } from '../lib/api';
import { isAbort } from '../lib/transport';
import { readDensity, type Density, type Outline } from './drawing';
import { LOCAL, SkyProjection, type Frame } from './projection';

export const MOST_OUTLINES = 5000;

export class MapData {
  density: Density | null = $state.raw(null);
  outlines: Outline[] = $state.raw([]);
  /** Products in sight; more than `MOST_OUTLINES` have no outlines. */
  inSight: number | null = $state(null);

  private readonly api: Api;
  private readonly failed: (error: unknown) => void;
  private loading: AbortController | null = null;
  private looking: AbortController | null = null;

  constructor(api: Api, failed: (error: unknown) => void) {
    this.api = api;
    this.failed = failed;
  }

  /** Show another result, or the same in another frame. */
  async load(cursor: string, frame: Frame): Promise<void> {
    this.loading?.abort();
    const controller = new AbortController();
    this.loading = controller;
    try {
      const found = await this.api.get<Parameters<typeof readDensity>[0]>(
        `results/${cursor}/sky/density`,
        { frame },
        controller.signal,
      );
      if (!controller.signal.aborted) this.density = readDensity(found);
    } catch (error) {
      if (!isAbort(error)) this.failed(error);
    }
  }

  /** Ask for the outlines in a part of the sky. */
  async look(cursor: string, map: SkyProjection): Promise<void> {
    this.looking?.abort();
    const controller = new AbortController();
    this.looking = controller;
    const bounds = map.view.fov > LOCAL ? '' : map.bounds().join(',');
    try {
      const found = await this.api.get<{ total: number; outlines: Outline[] }>(
        `results/${cursor}/sky/outlines`,
        { limit: MOST_OUTLINES, ...(bounds ? { bounds } : {}) },
        controller.signal,
      );
      if (controller.signal.aborted) return;
      this.inSight = found.total;
      this.outlines = found.outlines;
    } catch (error) {
      if (!isAbort(error)) this.failed(error);
    }
  }

  /** The products of the result at a place. */
  async at(cursor: string, ra: number, dec: number, radius: number): Promise<string[]> {
    const query = { ra, dec, radius: Math.min(90, radius) };
    return (await this.api.get<{ refs: string[] }>(`results/${cursor}/sky/at`, query)).refs;
  }
}
