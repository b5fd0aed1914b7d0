import { mount } from 'svelte';

import App from './App.svelte';
import type { Begun } from './lib/begun';
import { HttpTransport } from './lib/transport';
import './theme/page.css';

export function show(begun: Begun): void {
  mount(App, {
    target: document.getElementById('app') as HTMLElement,
    props: { transport: new HttpTransport(undefined, begun) },
  });
}
