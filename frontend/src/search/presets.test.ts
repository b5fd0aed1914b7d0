import { describe, expect, it } from 'vitest';

import { condition, emptyFilled, keyText, literal, PRESETS, queryOf, searchOf } from './presets';

describe('a value', () => {
  it.each([
    ['1342182452', '1342182452'],
    ['0x50002B34', '1342188340'],
    ['-0x10', '-16'],
    ['+2.5e-3', '2.5e-3'],
    ['.5', '.5'],
    ['0112610101', "'0112610101'"],
    ['M 83', "'M 83'"],
    ["Barnard's Star", "'Barnard\\'s Star'"],
    ['a\\b', "'a\\\\b'"],
    ["'M 83'", "'M 83'"],
    ['"M 83"', '"M 83"'],
    ["'M' 83'", "'\\'M\\' 83\\''"],
    ['true', 'True'],
    ['FALSE', 'False'],
    ['2009-09-25', "'2009-09-25'"],
    ['250 um', "'250 um'"],
    ['1e', "'1e'"],
  ])('%s is %s', (text, expected) => {
    expect(literal(text)).toBe(expected);
  });
});

describe('a key', () => {
  it.each([
    ['obsid', 'obsid'],
    ['DATE-OBS', "meta['DATE-OBS']"],
    ['in', "meta['in']"],
    ['HIERARCH ESO', "meta['HIERARCH ESO']"],
    ["o'k", "meta['o\\'k']"],
    ['2MASS', "meta['2MASS']"],
  ])('%s is %s', (key, expected) => {
    expect(keyText(key)).toBe(expected);
  });
});

describe('a condition', () => {
  it('is a comparison', () => {
    expect(condition({ key: 'od', operator: '>=', value: ' 98 ' })).toBe('od >= 98');
  });
  it('with a pattern is like', () => {
    expect(condition({ key: 'object', operator: '==', value: 'NGC*' })).toBe("like(object, 'NGC*')");
    expect(condition({ key: 'object', operator: 'like', value: 'm 8_' })).toBe(
      "like(object, 'm 8_')",
    );
  });
});

describe('a form', () => {
  it('of observations asks for observations', () => {
    const preset = PRESETS.Observations;
    const filled = { fields: { obsid: '0x50002B34', instrument: 'PACS', other: 'x' }, clauses: [] };
    expect(queryOf(preset, filled)).toBe("obsid == 1342188340 and instrument == 'PACS'");
    expect(searchOf(preset, filled, { pools: ['a'], at: '7', text: 'old' }, 'SimpleImage')).toEqual({
      query: "obsid == 1342188340 and instrument == 'PACS'",
      kind: 'ObservationContext',
      pools: ['a'],
      at: '7',
    });
  });

  it('of metadata has ranges and rows', () => {
    const filled = {
      fields: { type: 'HPPPMAPB', 'startDate.from': '2009-09-01', 'startDate.to': '2009-10-01' },
      clauses: [
        { key: 'wavelength', operator: '<' as const, value: '0.1 mm' },
        { key: '', operator: '==' as const, value: 'nothing' },
      ],
    };
    expect(queryOf(PRESETS.Metadata, filled)).toBe(
      "type == 'HPPPMAPB' and startDate >= '2009-09-01' and startDate <= '2009-10-01'" +
        " and wavelength < '0.1 mm'",
    );
  });

  it('without anything filled in finds everything', () => {
    for (const preset of Object.values(PRESETS)) {
      expect(queryOf(preset, emptyFilled(preset))).toBe('');
    }
  });
});
