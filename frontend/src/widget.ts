/** The widget of notebooks: the same page, over the channel of the kernel (anywidget). */

import { mount, unmount } from 'svelte';

import { OwnPlace } from './lib/search.svelte';
import Notebook from './notebook/Notebook.svelte';
import { KernelTransport, type Model } from './notebook/transport';
import './theme/theme.css';

function text(model: Model, name: string): string {
  const value = model.get(name);
  return typeof value === 'string' ? value : '';
}

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const transport = new KernelTransport(model);
  const place = new OwnPlace();
  place.write(text(model, 'address'));
  let page: Record<string, unknown> | null = null;
  let ended = false;

  // Letters that are typed here are no commands of the notebook.
  el.dataset.lmSuppressShortcuts = 'true';
  // What Python wrote, escaped, is all there is to see until a kernel answers.
  el.innerHTML = text(model, 'summary');

  void transport.hello().then(() => {
    if (ended) return;
    el.replaceChildren();
    el.style.height = `${Number(model.get('height')) || 640}px`;
    page = mount(Notebook, { target: el, props: { transport, place } });
  });
  return () => {
    ended = true;
    if (page) void unmount(page);
    transport.close();
  };
}

export default { render };
