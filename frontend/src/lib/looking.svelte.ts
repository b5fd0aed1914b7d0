/** What shows something tells the address how, and follows it. */

import { untrack } from 'svelte';

import type { Look } from './address';
import type { SearchState } from './search.svelte';

/**
 * Keep a look and the address alike, as long as the component lives.
 *
 * `mine` tells whether the address names what is shown: a product that is on its way does not get the
 * look of the one before. `told` gives all names that it knows, '' where the look is the usual one, and
 * null as long as there is nothing to tell. `take` is called when the address was read anew.
 */
export function shareLook(
  search: SearchState,
  mine: () => boolean,
  told: () => Look | null,
  take: (look: Look) => void,
): void {
  let read = untrack(() => search.reads);
  $effect(() => {
    const now = search.reads;
    untrack(() => {
      if (now === read || !mine()) return;
      read = now;
      take(search.look);
    });
  });
  $effect(() => {
    const look = told();
    untrack(() => {
      if (look && mine()) search.lookAt(look);
    });
  });
}
