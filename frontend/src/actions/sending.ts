/** Files on their way to the server: how far each is, and what is done about those that fail. */

import type { Api } from '../lib/api';
import { ApiError, isAbort } from '../lib/transport';
import type { Picked } from './files';

export type FileState = 'waiting' | 'sending' | 'sent' | 'failed' | 'left out';
/** `stopped`: some files failed, and somebody has to say what becomes of them. */
export type SendingState = 'sending' | 'stopped' | 'sent' | 'given up';

/** One file, and how far it is. */
export class FileSending {
  readonly path: string;
  readonly file: File;
  state: FileState = 'waiting';
  /** Bytes that have gone. */
  bytes = 0;
  problem = '';
  controller: AbortController | null = null;

  constructor({ path, file }: Picked) {
    this.path = path;
    this.file = file;
  }

  get ended(): boolean {
    return this.state !== 'waiting' && this.state !== 'sending';
  }
}

const AT_ONCE = 3;
/** So many files failed one after the other: the rest would too. */
const HOPELESS = 3;
/** So many files can be listed; of more, those that are being sent and those that failed. */
const LISTED = 200;

export class Sending {
  readonly files: FileSending[];
  state: SendingState = 'sending';
  private readonly api: Api;
  private readonly changed: () => void;
  private upload = '';
  private failures = 0;
  private removals: Promise<unknown>[] = [];

  constructor(api: Api, picked: readonly Picked[], changed: () => void = () => undefined) {
    this.api = api;
    this.files = picked.map((one) => new FileSending(one));
    this.changed = changed;
  }

  /** Files of some state. */
  those(...states: FileState[]): FileSending[] {
    return this.files.filter((one) => states.includes(one.state));
  }

  /** Bytes of all files that are to go. */
  get total(): number {
    return this.files.reduce((sum, one) => sum + (one.state === 'left out' ? 0 : one.file.size), 0);
  }

  /** Bytes that have gone. */
  get bytes(): number {
    return this.files.reduce((sum, one) => sum + one.bytes, 0);
  }

  /** The files that are worth showing, and how many are not. */
  get listed(): { files: FileSending[]; others: number } {
    const all = this.files.length <= LISTED;
    const files = all ? this.files : this.those('sending', 'failed').slice(0, LISTED);
    return { files, others: this.files.length - files.length };
  }

  /** Send what waits; gives the upload's id, or null where files failed or all was given up. */
  async run(): Promise<string | null> {
    this.state = 'sending';
    this.failures = 0;
    try {
      this.upload ||= (await this.api.post<{ upload: string }>('uploads', {})).upload;
    } catch (error) {
      this.state = 'stopped';
      for (const one of this.files) this.fail(one, error);
      this.changed();
      return null;
    }
    await Promise.all(Array.from({ length: AT_ONCE }, () => this.work()));
    await Promise.all(this.removals);
    if (this.given()) return null;
    const failed = this.those('failed', 'waiting').length > 0;
    if (!failed && this.those('sent').length === 0) {
      await this.cancel(); // Every file was left out.
      return null;
    }
    this.state = failed ? 'stopped' : 'sent';
    this.changed();
    return failed ? null : this.upload;
  }

  /** Send those that failed once more. */
  again(): Promise<string | null> {
    for (const one of this.those('failed')) one.state = 'waiting';
    return this.run();
  }

  /** Go on without those that failed. */
  async without(): Promise<string | null> {
    for (const one of this.those('failed', 'waiting')) this.leaveOut(one);
    await Promise.all(this.removals);
    if (this.those('sent').length === 0) {
      await this.cancel();
      return null;
    }
    this.state = 'sent';
    this.changed();
    return this.upload;
  }

  /** Do not add a file; the others go on. */
  leaveOut(one: FileSending): void {
    const gone = one.state === 'sent' || one.state === 'sending';
    one.state = 'left out';
    one.bytes = 0;
    one.controller?.abort();
    // Its last byte may have come just before, or long ago.
    if (gone) this.removals.push(this.api.delete(this.address(one)).catch(() => undefined));
    this.changed();
  }

  /** Give all of it up: nothing is left on the server. */
  async cancel(): Promise<void> {
    if (this.state === 'given up') return;
    this.state = 'given up';
    for (const one of this.files) one.controller?.abort();
    this.changed();
    if (this.upload) await this.api.delete(`uploads/${this.upload}`).catch(() => undefined);
  }

  private address(one: FileSending): string {
    const path = one.path.split('/').map(encodeURIComponent).join('/');
    return `uploads/${this.upload}/files/${path}`;
  }

  private given(): boolean {
    return this.state === 'given up';
  }

  private async work(): Promise<void> {
    for (const one of this.files) {
      if (this.given() || this.failures >= HOPELESS) return;
      if (one.state === 'waiting') await this.put(one);
    }
  }

  private async put(one: FileSending): Promise<void> {
    one.state = 'sending';
    one.bytes = 0;
    one.problem = '';
    one.controller = new AbortController();
    this.changed();
    const tell = (bytes: number) => {
      if (one.state !== 'sending') return;
      one.bytes = Math.min(bytes, one.file.size);
      this.changed();
    };
    try {
      const { signal } = one.controller;
      await this.api.upload(this.address(one), one.file, tell, signal);
      this.failures = 0;
      if (one.state === 'sending') {
        one.state = 'sent';
        one.bytes = one.file.size;
      }
    } catch (error) {
      this.fail(one, error);
    }
    one.controller = null;
    this.changed();
  }

  private fail(one: FileSending, error: unknown): void {
    if (one.ended) return;
    if (isAbort(error)) {
      one.state = 'left out';
      return;
    }
    this.failures += 1;
    one.state = 'failed';
    one.bytes = 0;
    const hint = error instanceof ApiError ? error.hint : '';
    one.problem = [error instanceof Error ? error.message : String(error), hint].filter(Boolean).join('; ');
  }
}
