import { svelte } from '@sveltejs/vite-plugin-svelte';
import { basename } from 'node:path';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

// Two builds into one folder: the page, and the widget of notebooks, which must be one file because
// a notebook loads it without an address. Names hold the hash of what is in the files and nothing of
// the time or the machine, so that building again gives the same bytes.
const shared = {
  // Tests build into another folder, and compare.
  outDir: process.env.SKYPOOL_STATIC ?? '../src/skypool/web/static',
  target: 'es2022',
  sourcemap: false,
  modulePreload: false,
  cssCodeSplit: false,
  reportCompressedSize: false,
};

const page = {
  ...shared,
  emptyOutDir: true,
  rollupOptions: {
    output: {
      entryFileNames: 'assets/[name]-[hash].js',
      chunkFileNames: 'assets/[name]-[hash].js',
      assetFileNames: 'assets/[name]-[hash][extname]',
    },
  },
};

const widget = {
  ...shared,
  emptyOutDir: false,
  copyPublicDir: false,
  lib: {
    entry: 'src/widget.ts',
    formats: ['es' as const],
    fileName: () => 'widget.js',
    cssFileName: 'widget',
  },
  // Libraries are left readable otherwise; every notebook gets a copy of this one.
  rolldownOptions: { output: { minify: true } },
};

// The page is fetched beside the small beginning that asks for it, which runs before all is here.
const together: Plugin = {
  name: 'together',
  transformIndexHtml: {
    order: 'post',
    handler: (html, { bundle }) => ({
      html: html.replace('<script type="module" crossorigin', '<script type="module" async crossorigin'),
      tags: Object.values(bundle ?? {})
        .filter((one) => one.type === 'chunk' && one.isDynamicEntry)
        .map(({ fileName }) => ({
          tag: 'link',
          injectTo: 'head' as const,
          attrs: { rel: 'modulepreload', crossorigin: true, href: `./${fileName}` },
        })),
    }),
  },
};

export default defineConfig(({ mode }) => ({
  base: './',
  build: mode === 'widget' ? widget : page,
  define: mode === 'widget' ? { 'process.env.NODE_ENV': '"production"' } : {},
  plugins: [
    together,
    svelte({
      compilerOptions: {
        cssHash: ({ hash, css, filename }) => `s${hash(basename(filename ?? '') + css)}`,
      },
    }),
  ],
  // With the development server, the API is that of a `skypool ui` whose address is in SKYPOOL_UI.
  server: { proxy: { '/api': process.env.SKYPOOL_UI ?? 'http://127.0.0.1:8000' } },
  resolve: process.env.VITEST ? { conditions: ['browser'] } : {},
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
}));
