/** Where products can be sent. */

import type { Api } from '../lib/api';

export interface Target {
  id: string;
  name: string;
  kind: 'samp' | 'program' | 'pool' | 'file' | 'text';
  accepts: string[];
  alive: boolean;
  /** Command that starts it, '' where it runs or is not there. */
  start: string;
}

export async function targets(api: Api): Promise<Target[]> {
  return (await api.get<{ targets: Target[] }>('targets')).targets;
}
