/** The columns of the table that the user chose, kept between visits, and layouts by name. */

import { remember, remembered } from './remembered';

export class ColumnMemory {
  layouts: Record<string, string[]> = $state.raw(remembered('layouts', {}));
  widths: Record<string, number> = $state.raw(remembered('widths', {}));
  private chosen: Record<string, string[]> = $state.raw(remembered('columns', {}));

  /** Columns chosen for a product type ('' for all); empty for the defaults of what is shown. */
  of(kind: string): string[] {
    return this.chosen[kind] ?? [];
  }

  choose(kind: string, columns: string[]): void {
    const others = Object.entries(this.chosen).filter(([one]) => one !== kind);
    this.chosen = Object.fromEntries(columns.length ? [...others, [kind, columns]] : others);
    remember('columns', this.chosen);
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
