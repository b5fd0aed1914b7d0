/** The widget of notebooks: the same page, over the channel of the kernel (anywidget). */

import { mount, unmount } from 'svelte';

import App from './App.svelte';
import { OwnPlace } from './lib/search.svelte';
import { errorOf, type Method, type Reply, type RequestOptions, type Transport } from './lib/transport';

/** The part of anywidget's model that is used. */
interface Model {
  send(content: object, callbacks?: unknown, buffers?: ArrayBuffer[]): void;
  on(event: 'msg:custom', listener: (content: Answer, buffers: DataView[]) => void): void;
  off(event: 'msg:custom', listener: (content: Answer, buffers: DataView[]) => void): void;
}

interface Answer {
  id?: number;
  event?: string;
  data?: unknown;
  status?: number;
  headers?: Record<string, string>;
  json?: unknown;
}

class KernelTransport implements Transport {
  private next = 1;
  private readonly model: Model;

  constructor(model: Model) {
    this.model = model;
  }

  request(method: Method, path: string, options: RequestOptions = {}): Promise<Reply> {
    const id = this.next++;
    return new Promise((resolve, reject) => {
      const listener = (answer: Answer, buffers: DataView[]) => {
        if (answer.id !== id) return;
        this.model.off('msg:custom', listener);
        const status = answer.status ?? 200;
        if (status >= 400) reject(errorOf(status, answer.json));
        else resolve(reply(status, answer, buffers));
      };
      this.model.on('msg:custom', listener);
      options.signal?.addEventListener('abort', () => {
        this.model.off('msg:custom', listener);
        this.model.send({ id, cancel: true });
        reject(new DOMException('given up', 'AbortError'));
      });
      this.model.send({ id, method, path, query: options.query ?? {}, body: options.body ?? null });
    });
  }

  events(listener: Parameters<Transport['events']>[0]): () => void {
    const heard = (answer: Answer) => {
      if (answer.event) listener({ name: answer.event, data: answer.data });
    };
    this.model.on('msg:custom', heard);
    return () => this.model.off('msg:custom', heard);
  }

  address(): null {
    return null;
  }
}

function reply(status: number, answer: Answer, buffers: DataView[]): Reply {
  const view = buffers[0] ?? new DataView(new ArrayBuffer(0));
  const bytes = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength) as ArrayBuffer;
  const header = (name: string) => answer.headers?.[name.toLowerCase()] ?? '';
  return {
    status,
    header,
    json: <T>() => Promise.resolve(answer.json as T),
    bytes: () => Promise.resolve(bytes),
    blob: () => Promise.resolve(new Blob([bytes], { type: header('content-type') })),
  };
}

export default {
  render({ model, el }: { model: Model; el: HTMLElement }): () => void {
    const page = mount(App, {
      target: el,
      props: { transport: new KernelTransport(model), place: new OwnPlace() },
    });
    return () => void unmount(page);
  },
};
