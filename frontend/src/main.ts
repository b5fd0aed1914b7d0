/** The beginning: what is shown first is asked for while the page itself is still on its way. */

import { firstRequests } from './lib/begun';
import { addressText } from './lib/address';

const begun = firstRequests(addressText());
void import('./page').then(({ show }) => show(begun));
