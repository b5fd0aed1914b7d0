/** The beginning: what is shown first is asked for while the page itself is still on its way. */

import { addressText } from './lib/address';
import { firstRequests } from './lib/begun';

const begun = firstRequests(addressText());
const page = import('./page');

// This runs as soon as it is here, which may be before the rest of the document is.
async function parsed(): Promise<void> {
  if (document.readyState === 'loading') {
    await new Promise((done) => document.addEventListener('DOMContentLoaded', done));
  }
  const styles = document.querySelector<HTMLLinkElement>('link[rel=stylesheet]');
  if (styles && !styles.sheet) {
    await new Promise((done) => {
      styles.addEventListener('load', done);
      styles.addEventListener('error', done);
    });
  }
}

void Promise.all([page, parsed()]).then(([{ show }]) => show(begun));
