// Prints what a front end publishes at its release: the manifest as Apollo's generator makes it, and
// the map as Relay's compiler does.
import { createHash } from 'node:crypto';
import { pathToFileURL } from 'node:url';
import { InMemoryCache, gql } from '@apollo/client';
import { sortTopLevelDefinitions } from '@apollo/persisted-query-lists';
import { print } from 'graphql';
import * as shop from './shop.mjs';

const digest = (algorithm, text) => createHash(algorithm).update(text).digest('hex');

const texts = [
  shop.CATALOGUE, shop.PRODUCT, shop.SIGN_IN, shop.ME, shop.ADD_LINES, shop.PLACE_ORDER, shop.CANCEL_ORDER, shop.ORDER_UPDATED,
];

/** Apollo's manifest: as the cache rewrites documents, ids are the SHA-256 of the text. */
export const apollo = {
  format: 'apollo-persisted-query-manifest',
  version: 1,
  operations: texts.map((text) => {
    const document = new InMemoryCache().transformDocument(gql(text));
    const { name, operation: type } = document.definitions.find((d) => d.kind === 'OperationDefinition');
    const body = print(sortTopLevelDefinitions(document));
    return { id: digest('sha256', body), name: name.value, type, body };
  }),
};

/** Relay's map: ids are the MD5 of the text. */
export const relay = Object.fromEntries(texts.map((text) => [digest('md5', print(gql(text))), print(gql(text))]));

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  console.log(JSON.stringify({ apollo, relay }));
}
