/** What Python hears of the page: its result and its selection. */

import type { Application } from '../lib/app.svelte';

const PAUSE = 120;

/** Tell the state whenever it has changed, until the returned function is called. */
export function follow(app: Application, tell: (content: object) => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = $effect.root(() => {
    $effect(() => {
      const cursor = app.results.cursor;
      const state = { kind: 'state', cursor, selection: app.selection.body(cursor) };
      clearTimeout(timer);
      // Walking through a table selects row after row.
      timer = setTimeout(() => tell(state), PAUSE);
    });
  });
  return () => {
    clearTimeout(timer);
    end();
  };
}
