/** The columns of the table that the user chose, kept between visits, and layouts by name. */

import { remember, remembered } from './remembered';

export class ColumnMemory {
  /** Chosen columns; empty for the defaults of what is shown. */
  remembered: string[] = $state.raw(remembered<string[]>('columns', []));
  layouts: Record<string, string[]> = $state.raw(remembered('layouts', {}));
  widths: Record<string, number> = $state.raw(remembered('widths', {}));

  choose(columns: string[]): void {
    this.remembered = columns;
    remember('columns', columns.length ? columns : null);
  }

  saveLayout(name: string, columns: string[]): void {
    this.layouts = { ...this.layouts, [name]: columns };
    remember('layouts', this.layouts);
  }

  deleteLayout(name: string): void {
    this.layouts = Object.fromEntries(Object.entries(this.layouts).filter(([one]) => one !== name));
    remember('layouts', this.layouts);
  }

  setWidth(key: string, pixels: number): void {
    this.widths = { ...this.widths, [key]: pixels };
    remember('widths', this.widths);
  }
}
