import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// In development the page comes from Vite, and the graph from the shop that `make run` started.
const shop = process.env.SHOP ?? 'http://127.0.0.1:8080';

export default defineConfig({
  base: '/playground/',
  plugins: [react()],
  worker: { format: 'es' },
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    chunkSizeWarningLimit: 6000,
  },
  server: {
    proxy: { '/graphql': { target: shop, ws: true, changeOrigin: true }, '/playground/accounts.json': shop },
  },
});
