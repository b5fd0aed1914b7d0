/** Light or dark: as the system has it, until the user says otherwise. */

import { remember, remembered } from './remembered';

export type Choice = 'system' | 'light' | 'dark';
const CHOICES: Choice[] = ['system', 'light', 'dark'];

export class Theme {
  choice: Choice = $state('system');
  private system = $state(false);
  private around: boolean | null = $state(null);
  private readonly query = matchMedia('(prefers-color-scheme: dark)');

  constructor() {
    const kept = remembered<Choice>('theme', 'system');
    this.choice = CHOICES.includes(kept) ? kept : 'system';
    this.system = this.query.matches;
  }

  /** What is shown; canvases read it to draw again with other colours. */
  readonly dark: boolean = $derived(
    this.choice === 'system' ? (this.around ?? this.system) : this.choice === 'dark',
  );

  /** What is around the page has a theme of its own (a notebook); null where it has none. */
  surround(dark: boolean | null): void {
    this.around = dark;
  }

  choose(choice: Choice): void {
    this.choice = choice;
    remember('theme', choice === 'system' ? null : choice);
  }

  next(): void {
    this.choose(CHOICES[(CHOICES.indexOf(this.choice) + 1) % CHOICES.length] ?? 'system');
  }

  /** Follow the system until the returned function is called. */
  follow(): () => void {
    const changed = (event: MediaQueryListEvent) => (this.system = event.matches);
    this.query.addEventListener('change', changed);
    return () => this.query.removeEventListener('change', changed);
  }
}
