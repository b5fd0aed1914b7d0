/** Which keys there are, for choosers: asked of the server once for each text. */

import type { Api } from './api';
import type { KeyInfo } from './types';

export class KeyList {
  list: KeyInfo[] = $state.raw([]);
  private readonly api: Api;
  private running: AbortController | null = null;

  constructor(api: Api) {
    this.api = api;
  }

  async look(search: string, pools: string[]): Promise<void> {
    this.running?.abort();
    const controller = new AbortController();
    this.running = controller;
    try {
      const list = await this.api.keys(search, pools, controller.signal);
      if (!controller.signal.aborted) this.list = list;
    } catch {
      // The list stays as it was; a key can be written out in full.
    }
  }
}
