import { describe, expect, it } from 'vitest';

import type { Product } from '../lib/types';
import { refusal, type Target } from './targets';

const ds9: Target = {
  id: 'samp:c1', name: 'SAOImage DS9', kind: 'samp', accepts: ['image', 'cube'], alive: true, start: '',
}; // prettier-ignore

function product(...quick: string[]): Product {
  const datasets = quick.map((one, i) => ({ path: `d${i}`, quick: one }));
  return { datasets } as unknown as Product;
}

describe('what programs take', () => {
  it('is told for what they do not', () => {
    expect(refusal(ds9, product('table'))).toBe('takes images and cubes only');
    expect(refusal(ds9, product('table', 'image'))).toBe('');
    expect(refusal(ds9, product('table', 'image'), 'd0')).toBe('takes images and cubes only');
    const all = { ...ds9, accepts: ['image', 'cube', 'table'] };
    expect(refusal(all, product('spectrum'))).toBe('takes images, cubes and tables only');
    expect(refusal({ ...ds9, accepts: [] }, product('image'))).toBe('takes nothing of this');
  });

  it('is not known of contexts, and of what is not loaded yet', () => {
    expect(refusal(ds9, product())).toBe('');
    expect(refusal(ds9, null)).toBe('');
    expect(refusal({ ...ds9, kind: 'file' }, product('table'))).toBe('');
  });
});
