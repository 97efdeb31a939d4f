import { existsSync, readFileSync } from 'node:fs';
import { defineConfig } from 'vitepress';

const here = new URL('..', import.meta.url).pathname;
const sidebar = `${here}.build/sidebar.json`;

export default defineConfig({
  title: 'TechMart',
  description: 'The graph of TechMart, and how to use it.',
  lang: 'en',
  base: '/docs/',
  srcDir: '.build/pages',
  outDir: '.build/dist',
  cacheDir: '.build/cache',
  cleanUrls: true,
  metaChunk: true,
  appearance: { disableTransition: false }, // it would write a style into the page
  lastUpdated: false,
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: '/docs/icon.svg' }]],
  markdown: { theme: { light: 'github-light', dark: 'github-dark' } },
  themeConfig: {
    search: { provider: 'local', options: { detailedView: false } },
    sidebar: existsSync(sidebar) ? JSON.parse(readFileSync(sidebar, 'utf8')) : [],
    outline: { level: 2 },
    docFooter: { prev: false, next: false },
    nav: [
      { text: 'Reference', link: '/reference/common', activeMatch: '/reference/' },
      { text: 'Examples', link: '/examples/catalogue', activeMatch: '/examples/' },
      { text: 'Guides', link: '/guides/protocol', activeMatch: '/guides/' },
    ],
  },
});
