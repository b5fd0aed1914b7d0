import { describe, expect, it } from 'vitest';

import { chosenDataset, shapeOf } from './choice';
import { firstPlot, sortOf, spectral, turned } from './columns';
import type { Line, TableColumn } from './data';
import { drawn, gaps, handy, inWords, nearest } from './plotting';
import type { DatasetInfo } from '../lib/types';

const line = (x: Line['x']['values'], y: Line['y']['values'], unit = ''): Line => ({
  x: { name: 'x', unit, values: x },
  y: { name: 'y', unit: '', values: y },
  total: x.length,
});

describe('lines', () => {
  it('have gaps where there is no number', () => {
    expect(gaps([1, 'NaN', 'Infinity', 0])).toEqual([1, null, null, 0]);
  });

  it('grow along x, with the places that they had', () => {
    const found = drawn(line([3, 1, 'NaN', 2], [30, 10, 0, 'NaN']));
    expect(found.x).toEqual([1, 2, 3]);
    expect(found.y).toEqual([10, null, 30]);
    expect(found.order).toEqual([1, 3, 0]);
  });

  it('are in handy units', () => {
    const found = drawn(line([5e11, 5.01e11], [1, 2], 'Hz'));
    expect([found.unit, found.x]).toEqual(['GHz', [500, 501]]);
    expect(handy(2.5e-4, 'm')).toEqual({ factor: 1e-6, unit: 'um' });
    expect(handy(5, 'Jy')).toEqual({ factor: 1, unit: 'Jy' });
    expect(inWords(515000000000, 'Hz')).toBe('515 GHz');
    expect(inWords(0, '')).toBe('0');
  });

  it('have a nearest point', () => {
    expect(nearest([1, 5, 9], 6)).toBe(1);
    expect(nearest([], 6)).toBe(-1);
  });
});

const column = (name: string, plots = true): TableColumn => ({
  name,
  unit: '',
  dtype: 'float64',
  shape: [],
  description: '',
  plots,
});

describe('columns', () => {
  it('of a spectrum are plotted', () => {
    const columns = [column('segment'), column('wave'), column('flux'), column('name', false)];
    expect(spectral(columns)).toEqual({ x: 'wave', y: 'flux' });
    expect(firstPlot(columns)).toEqual({ x: 'wave', y: 'flux' });
    expect(firstPlot([column('a'), column('t', false), column('b')])).toEqual({ x: 'a', y: 'b' });
    expect(firstPlot([column('t', false), column('b')])).toEqual({ x: '', y: 'b' });
  });

  it('are ordered by turns', () => {
    expect([turned('', 'a'), turned('a', 'a'), turned('-a', 'a'), turned('b', 'a')]).toEqual([
      'a', '-a', '', 'a',
    ]);
    expect([sortOf('a', 'a'), sortOf('-a', 'a'), sortOf('b', 'a')]).toEqual([
      'ascending', 'descending', 'none',
    ]);
  });
});

const dataset = (path: string, quick: DatasetInfo['quick'], shape: number[] | null = [2, 3]) =>
  ({ path, quick, shape, dtype: 'float32', unit: 'Jy', rows: 5, columns: [] }) as unknown as DatasetInfo;

describe('datasets', () => {
  it('are chosen as the server does', () => {
    const found = [dataset('error', 'image'), dataset('in/image', 'image'), dataset('t', 'table')];
    expect(chosenDataset(found, '')).toBe('in/image');
    expect(chosenDataset(found, 'error')).toBe('error');
    expect(chosenDataset(found, 'gone')).toBe('in/image');
    expect(chosenDataset([dataset('x', 'none')], '')).toBe('');
    expect(chosenDataset([dataset('coverage', 'image'), dataset('s', 'spectrum')], '')).toBe('s');
  });

  it('tell their shape, the fastest axis first', () => {
    expect(shapeOf(dataset('a', 'image', [2000, 4096]))).toBe('4,096 × 2,000 float32 Jy');
    expect(shapeOf(dataset('a', 'table'))).toBe('5 rows, 0 columns');
  });
});
