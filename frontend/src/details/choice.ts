/** Which dataset of a product is looked at, as the server chooses one for thumbnails. */

import { count } from '../lib/format';
import type { DatasetInfo } from '../lib/types';

const FIRST = ['image', 'signal', 'sci', 'flux', 'data', 'primary', 'intensity'];
const LAST = /err|weight|wht|coverage|exposure|mask|flag|dq|noise|sigma|std|var|con$|context/i;
const SORTS = ['image', 'cube', 'spectrum', 'table'];

/** The path of the dataset that was chosen before, else of the best one; '' where there is none. */
export function chosenDataset(datasets: readonly DatasetInfo[], remembered: string): string {
  const shown = datasets.filter((one) => one.quick !== 'none');
  if (shown.some((one) => one.path === remembered)) return remembered;
  let best: DatasetInfo | null = null;
  for (const one of shown) if (!best || before(rank(one), rank(best))) best = one;
  return best?.path ?? '';
}

function rank(one: DatasetInfo): [number, number, number] {
  const name = one.path.slice(one.path.lastIndexOf('/') + 1).toLowerCase();
  const place = FIRST.indexOf(name);
  const last = place < 0 && LAST.test(name) ? 1 : 0;
  return [last, SORTS.indexOf(one.quick), place < 0 ? FIRST.length : place];
}

function before(a: number[], b: number[]): boolean {
  const place = a.findIndex((one, i) => one !== b[i]);
  return place >= 0 && a[place]! < b[place]!;
}

/** `4,096 × 4,096 float32 Jy`, `1,000 rows, 7 columns`. */
export function shapeOf(one: DatasetInfo): string {
  if (one.quick === 'table') return `${count(one.rows ?? 0)} rows, ${one.columns?.length ?? 0} columns`;
  const shape = [...(one.shape ?? [])].reverse().map(count).join(' × ');
  return `${shape} ${one.dtype ?? ''} ${one.unit ?? ''}`.trim();
}
