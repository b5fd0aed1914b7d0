/** What is being done: which dialog is open, which jobs are the page's own, what they said. */

import type { Application } from '../lib/app.svelte';
import { count, plural } from '../lib/format';
import type { Job, SelectionBody } from '../lib/types';
import type { Picked } from './files';
import { Sending } from './sending';

export type Dialog =
  | { name: 'tag' | 'remove' | 'export' | 'save'; selection: SelectionBody; count: number }
  | { name: 'send'; selection: SelectionBody; count: number; target: string }
  | { name: 'rename' | 'methods' | 'compare'; ref: string }
  | { name: 'add'; picked: Picked[] }
  | { name: 'upload'; upload: Upload }
  | { name: 'jobs' | 'trash' | 'palette' | 'help' };

/** A job as the server tells it, with what the page does not use elsewhere. */
export interface FullJob extends Job {
  name: string;
  download: boolean;
  began: number;
  result: JobResult | null;
}

export interface JobResult {
  count?: number;
  unchanged?: number;
  names?: string[];
  refs?: string[];
  ref?: string;
  skipped?: [string, string][];
  opaque?: [string, string][];
  folder?: string;
  files?: number;
  pool?: string;
  sound?: boolean;
  removed?: string[];
  spared?: string[];
  spared_count?: number;
  replies?: { ref: string; state: string; detail: string; name: string }[];
}

/** Files that are being sent, and what is to be done with them then. */
export interface Upload {
  sending: Sending;
  body: Record<string, unknown>;
}

const CHANGES = ['tag', 'untag', 'rename', 'remove', 'restore', 'undo', 'add', 'copy'];
const ENDED = ['done', 'failed', 'cancelled'];

export function ended(job: Job): boolean {
  return ENDED.includes(job.state);
}

export class Actions {
  readonly app: Application;
  dialog: Dialog | null = $state.raw(null);
  uploads: Upload[] = $state.raw([]);
  /** Counts up while files are sent, for what shows how far they are. */
  progress = $state(0);
  private readonly mine = new Set<string>();
  private readonly told = new Set<string>();
  /** Which message told of a job, and which job another one undoes. */
  private readonly said = new Map<string, number>();
  private readonly undoing = new Map<string, string>();
  /** How many products each job that receives had when it was last told. */
  private readonly came = new Map<string, number>();

  constructor(app: Application) {
    this.app = app;
  }

  /** What an action works on: the selection, else the product in the details. */
  get target(): { selection: SelectionBody; count: number } | null {
    const { selection, results, search } = this.app;
    const body = selection.body(results.cursor);
    if (body) return { selection: body, count: selection.count(results.total) };
    return search.ref ? { selection: { refs: [search.ref] }, count: 1 } : null;
  }

  /** The one product that is acted on, null where there are several. */
  get one(): string | null {
    const { target } = this;
    if (!target || target.count !== 1 || !('refs' in target.selection)) return null;
    return target.selection.refs[0] ?? null;
  }

  /** The two products that are selected, null where there are others. */
  get two(): [string, string] | null {
    const { target } = this;
    const refs = target?.count === 2 && 'refs' in target.selection ? target.selection.refs : [];
    return refs.length === 2 ? (refs as [string, string]) : null;
  }

  get writable(): boolean {
    return !this.app.readOnly && (this.app.pools?.pools.some((pool) => pool.writable) ?? false);
  }

  close(): void {
    this.dialog = null;
  }

  /** Start a job; what becomes of it is told in a message. */
  async run(action: string, body: Record<string, unknown>): Promise<FullJob | null> {
    try {
      const job = (await this.app.api.startJob(action, body)) as FullJob;
      this.mine.add(job.id);
      if (action === 'undo' && typeof body.job === 'string') this.undoing.set(job.id, body.job);
      this.app.echo.add(job.code);
      // An event may have told more already.
      // What events have told of it already is newer than the answer.
      this.app.jobs[job.id] ??= job;
      this.hear(this.app.jobs[job.id] as FullJob);
      return job;
    } catch (error) {
      this.app.messages.fail(error);
      return null;
    }
  }

  /** Send files, and add them once all have come. */
  upload(picked: Picked[], body: Record<string, unknown>): void {
    let told = false;
    const changed = () => {
      if (told) return;
      told = true;
      requestAnimationFrame(() => {
        told = false;
        this.progress += 1;
      });
    };
    const one: Upload = { sending: new Sending(this.app.api, picked, changed), body };
    this.uploads = [...this.uploads, one];
    this.dialog = { name: 'upload', upload: one };
    void this.follow(one, one.sending.run());
  }

  /** Add what was sent; where it could not all be sent, it is asked what becomes of that. */
  async follow(one: Upload, work: Promise<string | null>): Promise<void> {
    const upload = await work;
    this.progress += 1;
    if (one.sending.state === 'stopped') this.dialog ??= { name: 'upload', upload: one };
    else if (this.settle(one) && upload !== null) await this.run('add', { upload, ...one.body });
  }

  /** An upload has come to its end; false where that was known. */
  settle(one: Upload): boolean {
    if (!this.uploads.includes(one)) return false;
    this.uploads = this.uploads.filter((other) => other !== one);
    if (this.dialog?.name === 'upload' && this.dialog.upload === one) this.close();
    if (one.sending.state === 'given up') {
      this.app.messages.say('the upload was given up; nothing was added');
    }
    return true;
  }

  /** Take notice of what a job has come to. */
  hear(job: FullJob): void {
    if (job.action === 'receive' && !ended(job)) this.receives(job);
    if (!this.mine.has(job.id) || !ended(job) || this.told.has(job.id)) return;
    this.told.add(job.id);
    const { messages } = this.app;
    if (job.state === 'cancelled') messages.say(`cancelled: ${job.text}`);
    else if (job.state === 'failed') {
      const [first] = job.errors;
      messages.fail(new Error([first?.message ?? job.text, first?.hint ?? ''].filter(Boolean).join('; ')));
    } else this.done(job);
    if (job.state !== 'done') return;
    // What is gone is not selected any more.
    if (job.action === 'remove') this.app.selection.clear();
    if (CHANGES.includes(job.action)) void this.app.results.again();
  }

  /** Another program has sent something. */
  private receives(job: FullJob): void {
    if (job.done <= (this.came.get(job.id) ?? 0)) return;
    this.came.set(job.id, job.done);
    const refresh = { label: 'Refresh', run: () => void this.app.results.again() };
    this.app.messages.say(`received ${job.name}`, refresh);
  }

  private done(job: FullJob): void {
    const undo = job.undo
      ? { label: 'Undo', run: () => void this.run('undo', { job: job.id }) }
      : null;
    const words = outcome(job);
    const failed = job.errors.length ? `; ${plural(job.errors.length, 'problem')}` : '';
    const said = this.app.messages.say(words + failed, undo, job.errors.length ? 'warning' : 'info');
    this.said.set(job.id, said);
    // What was undone offers to be undone no longer.
    const undone = this.said.get(this.undoing.get(job.id) ?? '');
    if (undone !== undefined) this.app.messages.close(undone);
  }

  async cancel(job: Job): Promise<void> {
    try {
      await this.app.api.delete(`jobs/${job.id}`);
    } catch (error) {
      this.app.messages.fail(error);
    }
  }
}

/** What a job has done, for people. */
export function outcome(job: FullJob): string {
  const result = job.result ?? {};
  const many = result.count ?? 0;
  switch (job.action) {
    case 'add': {
      const same = result.unchanged ? `, ${count(result.unchanged)} were there already` : '';
      const left = result.skipped?.length ? `, ${plural(result.skipped.length, 'file')} could not be read` : '';
      return `added ${plural(many, 'product')}${same}${left}`;
    }
    case 'remove': {
      const kept = result.spared_count ?? 0;
      return `removed ${plural(many, 'product')}${kept ? `; ${count(kept)} stay, as others refer to them` : ''}`;
    }
    case 'export':
      return `wrote ${plural(result.files ?? 0, 'file')} to ${result.folder}`;
    case 'copy': {
      const same = result.unchanged ? `, ${count(result.unchanged)} of them were there already` : '';
      return `saved ${plural(many, 'product')} to ${result.pool}${same}`;
    }
    case 'send':
      return `sent ${plural(many, 'product')} to ${result.replies?.[0]?.name ?? 'the program'}`;
    case 'receive':
      return `received ${plural(many, 'product')}`;
    case 'verify':
      return result.sound ? 'every stored byte is as it was written' : 'damage was found: see the jobs';
    default:
      return job.text;
  }
}
