// Hive Gateway over the supergraph in the file of the first argument, by deploy/federation/hive-gateway. It
// prints its address once it serves.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createGatewayRuntime } from '@graphql-hive/gateway-runtime';
import { gatewayConfig } from '../../deploy/federation/hive-gateway/gateway.config.mjs';

const gateway = createGatewayRuntime({ ...gatewayConfig, supergraph: readFileSync(process.argv[2], 'utf8'), logging: 'warn' });
const server = createServer(gateway);
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/graphql`));
