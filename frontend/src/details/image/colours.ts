/** Colour maps: the same 256 colours as those of the server's pictures. */

/** Every sixteenth colour of maps that matplotlib gave to the public domain (CC0). */
const NODES: Record<string, string> = {
  viridis:
    '44015448186a472d7b4240863b528b33638d2c728e26828e21908c' +
    '1f9f8827ad813ebc745cc86382d34daadc32d5e21afde725',
  inferno:
    '0000040b0724210c4a3d096556106e70196e89226aa32c61bb3654' +
    'd14545e35932f1721ef98c0afcaa0ff9c932f2e865fcffa4',
  cividis:
    '00224e002e6a1a386f32436d434e6c535a6d61656f6f70737c7c78' +
    '8b87789a9376aaa073bbad6dccba64ddc858efd748fee838',
  coolwarm:
    '3b4cc04e68d86282ea779af78db0fea3c2feb8d0f9ccd9eddcdcdc' +
    'ebd3c6f4c5adf7b194f49a7bec7f63de614dcb3e38b40426',
};

export const COLOUR_MAPS = [
  'gray',
  'viridis',
  'inferno',
  'heat',
  'cividis',
  'rainbow',
  'coolwarm',
] as const;
export type ColourMap = (typeof COLOUR_MAPS)[number];

/** 256 colours as red, green, blue. */
export function colourMap(name: ColourMap, inverted = false): Uint8Array {
  const nodes = NODES[name];
  const table = nodes === undefined ? formula(name) : between(nodes);
  if (!inverted) return table;
  const turned = new Uint8Array(768);
  for (let i = 0; i < 256; i += 1) turned.set(table.subarray(3 * i, 3 * i + 3), 3 * (255 - i));
  return turned;
}

function formula(name: ColourMap): Uint8Array {
  const table = new Uint8Array(768);
  for (let i = 0; i < 256; i += 1) {
    const x = i / 255;
    let parts: number[];
    if (name === 'gray') parts = [x, x, x];
    else if (name === 'heat') parts = [3 * x, 3 * x - 1, 3 * x - 2];
    else parts = [Math.abs(2 * x - 0.5), Math.sin(Math.PI * x), Math.cos((Math.PI * x) / 2)];
    parts.forEach((part, k) => (table[3 * i + k] = even(255 * Math.min(1, Math.max(0, part)))));
  }
  return table;
}

function between(nodes: string): Uint8Array {
  const count = nodes.length / 6;
  const table = new Uint8Array(768);
  for (let i = 0; i < 256; i += 1) {
    const place = (i / 255) * (count - 1);
    const first = Math.min(count - 2, Math.floor(place));
    const part = place - first;
    for (let k = 0; k < 3; k += 1) {
      const low = parseInt(nodes.substr(6 * first + 2 * k, 2), 16);
      const high = parseInt(nodes.substr(6 * first + 6 + 2 * k, 2), 16);
      table[3 * i + k] = even(low + (high - low) * part);
    }
  }
  return table;
}

/** Rounded, halves to the even number, as numpy does. */
function even(value: number): number {
  const low = Math.floor(value);
  if (value - low !== 0.5) return Math.round(value);
  return low % 2 === 0 ? low : low + 1;
}
