import { describe, expect, it } from 'vitest';

import { fit, ranked } from './ranking';

const all = [
  { label: 'Rename…', group: 'Product' },
  { label: 'Removed products', group: 'Pool' },
  { label: 'Remove…', group: 'Product' },
  { label: 'Show methods', group: 'Product' },
];

describe('commands by a few letters', () => {
  it('takes beginnings first, then words, parts, letters', () => {
    expect(fit('rem', 'Remove…')).toBe(0);
    expect(fit('meth', 'Show methods')).toBe(1);
    expect(fit('ow et', 'Show methods')).toBe(2);
    expect(fit('smt', 'Show methods')).toBe(3);
    expect(fit('xyz', 'Show methods')).toBeNull();
  });

  it('keeps the order of what fits alike, and all without letters', () => {
    expect(ranked(all, '')).toEqual(all);
    expect(ranked(all, 'rem').map((one) => one.label)).toEqual([
      'Removed products',
      'Remove…',
      'Rename…',
    ]);
    expect(ranked(all, 'pool').map((one) => one.label)).toEqual(['Removed products']);
  });
});
