import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vitest/config';

/**
 * Puts the generated document into the place of each graphql(`...`) call, as the plugins of graphql-codegen for
 * Babel and SWC do: the map from texts to documents, and with it every text, stays out of the bundle.
 */
function generatedDocuments(): Plugin {
  const call = /\bgraphql\(\s*(?:\/\*[^*]*\*\/\s*)?`\s*(query|mutation|subscription|fragment)\s+(\w+)[^`]*`,?\s*\)/g;
  return {
    name: 'generated-documents',
    enforce: 'pre',
    transform(code, id) {
      if (!/\/src\/(?!gql\/).*\.tsx?$/.test(id) || !code.includes('graphql(`')) {
        return undefined;
      }
      const names = new Set<string>();
      const replaced = code.replace(call, (text, kind: string, name: string) => {
        const document = name + (kind === 'fragment' ? 'FragmentDoc' : 'Document');
        names.add(document);
        return document + text.replace(/[^\n]/g, '');
      });
      return { code: `import { ${[...names].join(', ')} } from '@gql/graphql';${replaced}`, map: null };
    },
  };
}

// In development the pages come from Vite, and all else from the shop that `make run` started.
const shop = process.env.SHOP ?? 'http://127.0.0.1:8080';

export default defineConfig({
  base: '/shop/',
  plugins: [generatedDocuments(), react()],
  resolve: { alias: { '@gql': new URL('src/gql', import.meta.url).pathname } },
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0, // the policy of the pages knows no data: but for pictures
    reportCompressedSize: false,
    chunkSizeWarningLimit: 600,
  },
  server: {
    port: 5173,
    proxy: { '/graphql': { target: shop, ws: true, changeOrigin: true }, '/media': shop },
  },
  test: { include: ['src/**/*.test.ts'] },
});
