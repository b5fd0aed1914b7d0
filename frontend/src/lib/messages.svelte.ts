/** What the page has to say: messages that stay until closed, and the lines of code of actions. */

import { ApiError, isAbort } from './transport';
import type { Code } from './types';

export interface Action {
  label: string;
  run: () => void;
}

export interface Message {
  id: number;
  level: 'info' | 'warning' | 'error';
  text: string;
  hint: string;
  action: Action | null;
}

export class Messages {
  list: Message[] = $state([]);
  private next = 1;

  say(text: string, action: Action | null = null, level: Message['level'] = 'info'): number {
    return this.push({ level, text, hint: '', action });
  }

  /** Tell an error; one that was given up on purpose is none. */
  fail(error: unknown): void {
    if (isAbort(error)) return;
    const hint = error instanceof ApiError ? error.hint : '';
    const text = error instanceof Error ? error.message : String(error);
    if (this.list.some((one) => one.level === 'error' && one.text === text)) return;
    this.push({ level: 'error', text, hint, action: null });
  }

  close(id: number): void {
    this.list = this.list.filter((one) => one.id !== id);
  }

  private push(message: Omit<Message, 'id'>): number {
    const id = this.next++;
    this.list = [...this.list.slice(-4), { id, ...message }];
    return id;
  }
}

/** The lines that the actions of the page are, the newest last: clicking teaches the API. */
export class Echo {
  lines: Code[] = $state.raw([]);
  private search: Code | null = null;

  add(code: Code | null | undefined): void {
    if (!code || same(code, this.lines.at(-1))) return;
    this.lines = [...this.lines.slice(-199), code];
  }

  /** A search that runs again after an action is no news: the line of the action stays in sight. */
  searched(code: Code | null | undefined): void {
    if (!code || same(code, this.search)) return;
    this.search = code;
    this.add(code);
  }
}

function same(one: Code, other: Code | null | undefined): boolean {
  return one.python === other?.python && one.command === other.command && one.url === other.url;
}
