/** The cells of a row of the table. */

import type { ColumnInfo, Row } from '../lib/types';
import { shown } from './widths';

/** What stands in a row before the cells. */
const BEFORE = 1;

/** Draw the cells of a row that may have shown another row before, or none. */
export function drawCells(
  line: HTMLElement,
  row: Row | undefined,
  columns: readonly ColumnInfo[],
  places: readonly number[],
  widths: readonly number[],
): void {
  while (line.children.length > BEFORE + columns.length) line.lastElementChild?.remove();
  for (const [i, column] of columns.entries()) {
    const cell = (line.children[BEFORE + i] as HTMLElement | undefined) ?? added(line, i);
    const place = places[i] ?? -1;
    const value = row?.[place + 1];
    if (row === undefined || place < 0) {
      write(cell, i === 0 ? 'loading' : '', 'soft');
    } else if (column.key === 'tags' && Array.isArray(value)) {
      write(cell, '', '');
      cell.append(...value.map((tag) => pill(String(tag))));
    } else {
      const { text, title, number } = shown(value, column, widths[i]);
      write(cell, text, number ? 'number' : '', title === text ? '' : title);
    }
  }
}

function added(line: HTMLElement, i: number): HTMLElement {
  const cell = document.createElement('div');
  cell.setAttribute('role', 'gridcell');
  cell.setAttribute('aria-colindex', String(i + 2));
  line.append(cell);
  return cell;
}

function write(cell: HTMLElement, text: string, kind: string, title = ''): void {
  if (cell.textContent !== text || cell.firstElementChild) cell.textContent = text;
  if (cell.className !== kind) cell.className = kind;
  if (title) cell.title = title;
  else cell.removeAttribute('title');
}

function pill(text: string): HTMLElement {
  const tag = document.createElement('span');
  tag.className = 'tag';
  tag.textContent = text;
  return tag;
}
