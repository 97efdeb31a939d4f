// Composes a supergraph of the subgraphs on stdin, [{name, url, sdl}], as CI would: prints the supergraph, the
// errors and the hints as JSON.
import { readFileSync } from 'node:fs';
import { composeServices } from '@apollo/composition';
import { parse } from 'graphql';

const subgraphs = JSON.parse(readFileSync(0, 'utf8'));
const result = composeServices(subgraphs.map(({ name, url, sdl }) => ({ name, url, typeDefs: parse(sdl) })));

process.stdout.write(JSON.stringify({
  supergraph: result.supergraphSdl ?? '',
  errors: (result.errors ?? []).map((e) => `${e.extensions?.code}: ${e.message}`),
  hints: (result.hints ?? []).map((h) => ({ code: h.definition.code, coordinate: h.coordinate ?? '', message: h.message })),
}));
