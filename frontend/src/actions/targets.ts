/** Where products can be sent. */

import type { Api } from '../lib/api';
import type { Product } from '../lib/types';

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

/**
 * Why a program does not take a product, or one of its datasets; '' where it does. Some say to
 * take what they do not show: the server knows, and leaves it out of what they accept.
 */
export function refusal(target: Target, product: Product | null, dataset = ''): string {
  const program = target.kind === 'samp' || target.kind === 'program';
  if (!program || !product || product.datasets.length === 0) return '';
  const sent = product.datasets.filter((one) => !dataset || one.path === dataset);
  if (sent.some((one) => target.accepts.includes(one.quick))) return '';
  const words = target.accepts
    .filter((word) => word !== 'context')
    .map((word) => (word === 'spectrum' ? 'spectra' : `${word}s`));
  const last = words.pop();
  if (last === undefined) return 'takes nothing of this';
  return `takes ${words.length ? `${words.join(', ')} and ` : ''}${last} only`;
}
