// Reads {secret, headers, body} as JSON and verifies them by the specification's own library and by the code of docs/webhooks.md,
// which is in the file that is named. Each has to take the message, and to refuse another body.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { Webhook } from "standardwebhooks";

const { secret, headers, body } = JSON.parse(readFileSync(0, "utf8"));
const documented = await import(pathToFileURL(process.argv[2]).href);

for (const verify of [(h, b) => new Webhook(secret).verify(b, h), (h, b) => documented.verify(secret, h, Buffer.from(b))]) {
  assert.deepEqual(verify(headers, body), JSON.parse(body));
  assert.throws(() => verify(headers, body + " "));
  assert.throws(() => verify({ ...headers, "webhook-id": "whd_0" }, body));
  assert.throws(() => verify({ ...headers, "webhook-timestamp": "1" }, body));
}
