import { describe, expect, it } from 'vitest';

import { corrected, marked } from './marking';

describe('an error', () => {
  it.each([
    ["instrument = 'PACS'", 12, "="],
    ["a == 1 && b == 2", 8, '&&'],
    ['instrumnt == 1', 1, 'instrumnt'],
    ["object == 'M 83", 11, "'M 83"],
    ['a == ', 6, ''],
    ['ü == näm', 6, 'näm'],
    ['🔭 == obsd', 6, 'obsd'],
    ['a', 99, ''],
  ])('in %s at %i marks %s', (text, column, part) => {
    const cut = marked(text, column);
    expect(cut.part).toBe(part);
    expect(cut.before + cut.part + cut.after).toBe(text);
  });

  it('is corrected by a suggestion', () => {
    expect(corrected("instrumnt == 'PACS'", 1, 'instrument')).toBe("instrument == 'PACS'");
    expect(corrected("covrs(1, 2)", 1, 'covers')).toBe('covers(1, 2)');
  });
});
