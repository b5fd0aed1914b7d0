import { describe, expect, it } from 'vitest';

import { Echo } from './messages.svelte';

function code(text: string) {
  return { python: text, command: text, url: text };
}

describe('the lines of code of what was done', () => {
  it('show each search, the one before the last too', () => {
    const echo = new Echo();
    for (const one of ['a', 'b', 'a']) echo.searched(code(one));
    expect(echo.lines.map((line) => line.python)).toEqual(['a', 'b', 'a']);
  });

  it('keep an action in sight when its search runs again', () => {
    const echo = new Echo();
    echo.searched(code('find'));
    echo.add(code('tag'));
    echo.searched(code('find'));
    expect(echo.lines.at(-1)?.python).toBe('tag');
    echo.searched(code('another'));
    expect(echo.lines.at(-1)?.python).toBe('another');
  });
});
