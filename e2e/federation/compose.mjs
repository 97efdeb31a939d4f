// Composes a supergraph, as CI would. Without arguments it reads the subgraphs, [{name, url, sdl}], and prints the
// supergraph, the errors and the hints as JSON. With arguments such as users:4001 it takes the SDL from
// users.graphqls for a process at that port, and prints the supergraph.
import { readFileSync } from 'node:fs';
import { composeServices } from '@apollo/composition';
import { parse } from 'graphql';

const parts = process.argv.slice(2).map((part) => part.split(':'));
const subgraphs = parts.length === 0
  ? JSON.parse(readFileSync(0, 'utf8'))
  : parts.map(([name, port]) => ({ name, url: `http://127.0.0.1:${port}/graphql`, sdl: readFileSync(`${name}.graphqls`, 'utf8') }));
const result = composeServices(subgraphs.map(({ name, url, sdl }) => ({ name, url, typeDefs: parse(sdl) })));
const errors = (result.errors ?? []).map((e) => `${e.extensions?.code}: ${e.message}`);

if (parts.length > 0) {
  if (errors.length > 0) throw new Error(errors.join('\n'));
  process.stdout.write(result.supergraphSdl);
} else {
  process.stdout.write(JSON.stringify({
    supergraph: result.supergraphSdl ?? '',
    errors,
    hints: (result.hints ?? []).map((h) => ({ code: h.definition.code, coordinate: h.coordinate ?? '', message: h.message })),
  }));
}
