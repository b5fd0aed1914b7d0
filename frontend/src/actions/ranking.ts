/** Which of several texts is meant by a few letters. */

export interface Named {
  label: string;
  group: string;
}

/** How well letters fit a text: the lower the better, null where they do not. */
export function fit(typed: string, text: string): number | null {
  const wanted = typed.trim().toLowerCase();
  const whole = text.toLowerCase();
  if (!wanted) return 0;
  if (whole.startsWith(wanted)) return 0;
  const words = wanted.split(/\s+/);
  if (words.every((word) => whole.split(/[\s(/]+/).some((one) => one.startsWith(word)))) return 1;
  if (words.every((word) => whole.includes(word))) return 2;
  let at = 0;
  for (const letter of wanted.replace(/\s/g, '')) {
    at = whole.indexOf(letter, at) + 1;
    if (at === 0) return null;
  }
  return 3;
}

/** Those that fit, the best first; equal ones stay in their order. */
export function ranked<T extends Named>(all: readonly T[], typed: string): T[] {
  return all
    .map((one) => ({ one, rank: fit(typed, one.label) ?? (fit(typed, one.group) === 0 ? 4 : null) }))
    .filter((each): each is { one: T; rank: number } => each.rank !== null)
    .sort((a, b) => a.rank - b.rank)
    .map(({ one }) => one);
}
