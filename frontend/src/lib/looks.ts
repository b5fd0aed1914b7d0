/** How what is shown is looked at: kept for going to and fro, shared with those who show it. */

import { MAP, type Look, type PageState } from './address';

/** Names that stay when another product or tab is shown: the map, and what is looked for. */
const STAYING: readonly string[] = [...MAP, 'find'];

/** A look with changes, '' taking a name out; the same object where nothing changes. */
export function changed(look: Look, changes: Look): Look {
  const made: Record<string, string> = { ...look };
  for (const [name, text] of Object.entries(changes)) {
    if (text) made[name] = text;
    else delete made[name];
  }
  const names = Object.keys(made);
  const same = names.length === Object.keys(look).length && names.every((one) => made[one] === look[one]);
  return same ? look : made;
}

export function staying(look: Look): Look {
  return Object.fromEntries(Object.entries(look).filter(([name]) => STAYING.includes(name)));
}

type Shown = Pick<PageState, 'ref' | 'tab' | 'dataset' | 'against' | 'look'>;

/** The looks at the tabs and datasets of one product. */
export class LookMemory {
  private ref: string | null = null;
  private readonly looks = new Map<string, Look>();

  keep(state: Shown): void {
    if (state.ref !== this.ref) this.looks.clear();
    this.ref = state.ref;
    this.looks.set(place(state), state.look);
  }

  /** The look that was left, with what stays as it is now; null where nobody looked. */
  of(state: Shown): Look | null {
    const known = state.ref === this.ref ? this.looks.get(place(state)) : undefined;
    if (known === undefined) return null;
    const own = Object.entries(known).filter(([name]) => !STAYING.includes(name));
    return { ...staying(state.look), ...Object.fromEntries(own) };
  }
}

function place({ tab, dataset, against }: Shown): string {
  return JSON.stringify([tab, dataset, against]);
}

/** Some numbers of a text such as `2.5,100,-3`; null where it does not hold so many. */
export function numbers(text: string | undefined, many: number, between = ','): number[] | null {
  const found = (text ?? '').split(between).map((one) => (one.trim() ? Number(one) : NaN));
  return found.length === many && found.every(Number.isFinite) ? found : null;
}

/** A number in so many digits that nobody sees a difference. */
export function short(value: number, digits = 7): string {
  return String(Number(value.toPrecision(digits)));
}

/** Two numbers such as `-0.5..3e4`, the smaller one first. */
export function rangeOf(text: string | undefined): [number, number] | null {
  const found = numbers(text, 2, '..');
  return found && found[0]! < found[1]! ? [found[0]!, found[1]!] : null;
}

export function rangeText(range: readonly [number, number] | null): string {
  return range ? range.map((one) => short(one)).join('..') : '';
}
