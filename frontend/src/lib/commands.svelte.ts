/** What can be done, for menus, the palette, keys and help alike. */

import { untrack } from 'svelte';

export type Group = 'Search' | 'Results' | 'Product' | 'View' | 'Pool' | 'Help';

export interface Command {
  id: string;
  label: string;
  group: Group;
  /** Keys such as `t`, `/`, `Ctrl+K`, `Shift+F10`; those of `keys[0]` are shown. */
  keys?: string[];
  /** Works while a text field has the focus too. */
  everywhere?: boolean;
  /** Can it be done now? Without this, always. */
  enabled?: () => boolean;
  run: () => void;
}

export class Commands {
  list: Command[] = $state.raw([]);

  /** Add commands; the function that is returned takes them away (for `$effect`). */
  register(...commands: Command[]): () => void {
    const ids = new Set(commands.map((one) => one.id));
    // An effect that adds commands does not depend on those of others.
    untrack(() => {
      this.list = [...this.list.filter((one) => !ids.has(one.id)), ...commands];
    });
    return () =>
      untrack(() => {
        this.list = this.list.filter((one) => !commands.includes(one));
      });
  }

  get(id: string): Command | undefined {
    return this.list.find((one) => one.id === id);
  }

  can(id: string): boolean {
    const command = this.get(id);
    return command !== undefined && (command.enabled?.() ?? true);
  }

  run(id: string): void {
    if (this.can(id)) this.get(id)?.run();
  }

  /** Run the command of a key; true where there was one. */
  press(event: KeyboardEvent): boolean {
    const name = keyName(event);
    const typing = isTyping(event.target);
    for (const command of this.list) {
      if (!command.keys?.includes(name) || (typing && !command.everywhere)) continue;
      if (!(command.enabled?.() ?? true)) continue;
      event.preventDefault();
      command.run();
      return true;
    }
    return false;
  }
}

/** `Ctrl+K`, `Shift+F10`, `/`, `t`; the Command key of a Mac counts as Ctrl. */
export function keyName(event: KeyboardEvent): string {
  const letter = event.key.length === 1;
  const parts: string[] = [];
  if (event.ctrlKey || event.metaKey) parts.push('Ctrl');
  if (event.altKey) parts.push('Alt');
  if (event.shiftKey && (!letter || parts.length > 0)) parts.push('Shift');
  parts.push(letter && parts.length > 0 ? event.key.toUpperCase() : event.key);
  return parts.join('+');
}

/** Does the focus lie where letters are text? */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement) return true;
  if (target instanceof HTMLSelectElement) return true;
  const plain = ['checkbox', 'radio', 'button', 'range', 'submit', 'reset', 'color', 'file'];
  return target instanceof HTMLInputElement && !plain.includes(target.type);
}
