/** Where a query is wrong: the part of its text that an error means. */

export interface Marked {
  before: string;
  part: string;
  after: string;
}

/**
 * Cut a query at the column of an error (from 1, in characters): the word or sign that stands
 * there, or one place at the end where something is missing.
 */
export function marked(text: string, column: number): Marked {
  const letters = [...text];
  const start = Math.min(Math.max(0, column - 1), letters.length);
  const rest = letters.slice(start).join('');
  const found = /^(?:'(?:[^'\\]|\\.)*'?|"(?:[^"\\]|\\.)*"?|[\p{L}\p{N}_$.]+|[=<>!&|]+|\S)/u.exec(rest);
  const part = found?.[0] ?? rest.slice(0, 1);
  return { before: letters.slice(0, start).join(''), part, after: rest.slice(part.length) };
}

/** The query with another text in the place of what is marked. */
export function corrected(text: string, column: number, suggestion: string): string {
  const { before, after } = marked(text, column);
  return before + suggestion + after;
}
