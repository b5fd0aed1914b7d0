import { describe, expect, it } from 'vitest';

import { fromAddress, normalised, toAddress, type PageState } from './address';

const STATE: PageState = {
  search: {
    query: "instrument == 'SPIRE' and covers(201.365, -43.019)",
    text: 'ngc 65 & ü',
    pools: ['temp1'],
    filters: [
      { key: 'object', values: ['M51', 'M83'] },
      { key: 'obsid', min: 1342180000 },
    ],
    region: { circle: [201.365, -43.019, 0.5] },
    kind: 'SimpleImage',
    order: '-saved,name',
    all_versions: true,
    at: '2026-11-01',
  },
  view: 'sheet',
  columns: ['name', 'obsid'],
  ref: 'temp1/12',
  tab: 'Versions',
  against: 'other/7',
  dataset: 'coverage',
  look: { cuts: '-0.5..3e4', plane: '3', zoom: '2,10.5,1', sky: '83.6,22,5', find: 'a & b' },
  pane: 'Details',
};

describe('the address', () => {
  it('holds the whole state', () => {
    expect(fromAddress('#' + toAddress(STATE))).toEqual(STATE);
  });

  it('of the empty search is empty', () => {
    const empty = {
      search: {}, view: 'table' as const, columns: [], ref: null, tab: null, against: null,
      dataset: null, look: {}, pane: 'Results' as const,
    }; // prettier-ignore
    expect(toAddress(empty)).toBe('');
    expect(fromAddress('')).toEqual(empty);
  });

  it('is taken with ? and # alike', () => {
    expect(fromAddress('?query=obsid%3D%3D1').search).toEqual({ query: 'obsid==1' });
    expect(fromAddress('#query=obsid%3D%3D1').search).toEqual({ query: 'obsid==1' });
  });

  it.each([
    '#filters=[',
    '#filters={}',
    '#filters=[1,null,{"values":[2]}]',
    '#pools=[1]',
    '#region={"circle":["a"]}',
    '#view=other',
    '#pane=other',
    '#all_versions=yes',
  ])('leaves out what is wrong in %s', (text) => {
    const state = fromAddress(text);
    expect(state.search).toEqual({});
    expect(state.view).toBe('table');
    expect(state.pane).toBe('Results');
  });

  it('is the same for equal searches', () => {
    const one = normalised({ query: ' a == 1 ', pools: ['b', 'a'], filters: [], all_versions: false });
    expect(one).toEqual({ query: 'a == 1', pools: ['a', 'b'] });
  });

  it('keeps filters that bound, name values or miss', () => {
    const filters = [
      { key: 'a', values: [0] },
      { key: 'b', max: 0 },
      { key: 'c', missing: true },
      { key: 'd', values: [] },
      { key: 'e', missing: false },
    ];
    const kept = normalised({ filters }).filters?.map((filter) => filter.key);
    expect(kept).toEqual(['a', 'b', 'c']);
  });
});
