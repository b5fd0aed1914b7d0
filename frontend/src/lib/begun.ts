/** The first requests of a page, sent while the page itself is still on its way. */

import { fromAddress, type PageState } from './address';
import { remembered } from './remembered';

export const ROOT = 'api/v1/';

/** Requests under way; each is given out once, to whoever asks the same. */
export class Begun {
  private readonly answers = new Map<string, Promise<Response>>();

  begin(method: 'GET' | 'POST', address: string, body?: string): void {
    const init: RequestInit = { method, credentials: 'same-origin' };
    if (body !== undefined) {
      init.body = body;
      init.headers = { 'Content-Type': 'application/json' };
    }
    const answer = fetch(address, init);
    answer.catch(() => undefined); // Whoever takes it is told.
    this.answers.set(mark(method, address, body), answer);
  }

  take(method: string, address: string, body: unknown): Promise<Response> | undefined {
    const key = mark(method, address, body);
    const answer = this.answers.get(key);
    this.answers.delete(key);
    return answer;
  }
}

function mark(method: string, address: string, body: unknown): string {
  return `${method} ${address} ${typeof body === 'string' ? body : ''}`;
}

/** What the page asks first: its pools, and the search that its address holds. */
export function firstRequests(text: string): Begun {
  const begun = new Begun();
  const { search, columns } = fromAddress(text);
  const show = columns.length ? columns : rememberedColumns(search);
  begun.begin('POST', ROOT + 'results', JSON.stringify(show.length ? { ...search, show } : search));
  begun.begin('GET', ROOT + 'pools');
  return begun;
}

/** Columns that were chosen for the product type of a search, empty for the defaults. */
function rememberedColumns(search: PageState['search']): string[] {
  return remembered<Record<string, string[]>>('columns', {})[search.kind ?? ''] ?? [];
}
