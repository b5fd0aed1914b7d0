/** Files for the user: by their address, or as bytes over a channel that has no addresses. */

import type { Transport } from './transport';

/** Hand what is at a path to the browser, to be saved under a name. */
export async function download(transport: Transport, path: string, name: string): Promise<void> {
  const address = transport.address(path);
  if (address !== null) {
    click(address, name);
    return;
  }
  const reply = await transport.request('GET', path);
  const url = URL.createObjectURL(await reply.blob());
  click(url, name);
  // The browser reads it after the click has been handled.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function click(address: string, name: string): void {
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
}
