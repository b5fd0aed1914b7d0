import { mount } from 'svelte';

import App from './App.svelte';
import { HttpTransport } from './lib/transport';
import './theme/page.css';

mount(App, {
  target: document.getElementById('app') as HTMLElement,
  props: { transport: new HttpTransport() },
});
