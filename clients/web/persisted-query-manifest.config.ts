import type { PersistedQueryManifestConfig } from '@apollo/generate-persisted-query-manifest';

const config: PersistedQueryManifestConfig = {
  documents: ['src/**/*.{ts,tsx}', '!src/gql/**'],
  output: 'persisted-query-manifest.json',
};

export default config;
