/** HIPE's four ways into a pool as forms: what is filled in becomes a query. */

import type { Search } from '../lib/types';

export type Operator = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'like';
export const OPERATORS: Operator[] = ['==', '!=', '<', '<=', '>', '>=', 'like'];

/** A condition of a row that names any key. */
export interface Clause {
  key: string;
  operator: Operator;
  value: string;
}

export type PresetName = 'Observations' | 'Products' | 'Metadata' | 'Free';

export interface Preset {
  /** Keys with a field of their own. */
  fields: string[];
  /** Keys of times with a field for each end. */
  ranges: string[];
  /** Rows with any key. */
  free: boolean;
  /** The product type that it asks for, which cannot be changed. */
  kind?: string;
}

export const PRESETS: Record<PresetName, Preset> = {
  Observations: {
    fields: ['obsid', 'odNumber', 'instrument'],
    ranges: [],
    free: false,
    kind: 'ObservationContext',
  },
  Products: {
    fields: ['object', 'proposal', 'instrument', 'odNumber', 'obsid'],
    ranges: [],
    free: true,
  },
  Metadata: {
    fields: ['creator', 'instrument', 'type', 'modelName'],
    ranges: ['creationDate', 'startDate'],
    free: true,
  },
  Free: { fields: [], ranges: [], free: true },
};

/** What is filled in: values of fields by key, ends of ranges as `key.from` and `key.to`. */
export interface Filled {
  fields: Record<string, string>;
  clauses: Clause[];
}

export function emptyFilled(preset: Preset): Filled {
  return {
    fields: {},
    clauses: preset.free ? [{ key: '', operator: '==', value: '' }] : [],
  };
}

/** The query that a filled form is; '' where nothing is filled in. */
export function queryOf(preset: Preset, filled: Filled): string {
  const parts: string[] = [];
  for (const key of preset.fields) {
    const value = filled.fields[key]?.trim();
    if (value) parts.push(condition({ key, operator: '==', value }));
  }
  for (const key of preset.ranges) {
    const from = filled.fields[`${key}.from`]?.trim();
    const to = filled.fields[`${key}.to`]?.trim();
    if (from) parts.push(`${keyText(key)} >= ${quoted(from)}`);
    if (to) parts.push(`${keyText(key)} <= ${quoted(to)}`);
  }
  for (const clause of filled.clauses) {
    if (clause.key.trim() && clause.value.trim()) parts.push(condition(clause));
  }
  return parts.join(' and ');
}

/** The search of a filled form: it keeps the pools, versions and time of the one before. */
export function searchOf(preset: Preset, filled: Filled, before: Search, kind: string): Search {
  const { pools, all_versions, all_names, at } = before;
  const search: Search = { query: queryOf(preset, filled), kind: preset.kind ?? kind };
  if (pools) search.pools = pools;
  if (all_versions) search.all_versions = true;
  if (all_names) search.all_names = true;
  if (at) search.at = at;
  return search;
}

export function condition({ key, operator, value }: Clause): string {
  const text = value.trim();
  if (operator === 'like') return `like(${keyText(key)}, ${quoted(text)})`;
  // A pattern where a value is expected, as HIPE's fields took them.
  if (operator === '==' && /^[^'"]*[*%][^'"]*$/.test(text)) {
    return `like(${keyText(key)}, ${quoted(text)})`;
  }
  return `${keyText(key)} ${operator} ${literal(text)}`;
}

/** A key as queries write it: a name, else `meta['DATE-OBS']`. */
export function keyText(key: string): string {
  const name = key.trim();
  return /^[A-Za-z_]\w*$/.test(name) && !WORDS.has(name) ? name : `meta[${quoted(name)}]`;
}

/** Words of the query language, which a key may have as its name. */
const WORDS = new Set(['and', 'or', 'not', 'in', 'True', 'False', 'true', 'false', 'None', 'is']);

/** A number, decimal or 0x, true or false, a text that is quoted already, else the text quoted. */
export function literal(text: string): string {
  if (/^[-+]?0x[0-9a-f]+$/i.test(text)) return hexadecimal(text);
  if (/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(text)) {
    // 0112610101 is a text for the query language, as for people.
    return /^[-+]?0\d/.test(text) ? quoted(text) : text.replace(/^\+/, '');
  }
  if (/^(true|false)$/i.test(text)) return text[0]?.toUpperCase() + text.slice(1).toLowerCase();
  if (/^'(?:[^'\\]|\\.)*'$|^"(?:[^"\\]|\\.)*"$/.test(text)) return text;
  return quoted(text);
}

function hexadecimal(text: string): string {
  const sign = text.startsWith('-') ? '-' : '';
  return sign + BigInt(text.replace(/^[-+]/, '')).toString();
}

export function quoted(text: string): string {
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll("'", "\\'")
    .replaceAll('\n', '\\n')
    .replaceAll('\t', '\\t');
  return `'${escaped}'`;
}
