// A browser that watches the shop front: what it sends, and what it complains about.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

/** The shop as the Go test describes it. */
export const shop = JSON.parse(process.env.SHOP ?? '{}');

const axeSource = readFileSync(new URL(import.meta.resolve('axe-core/axe.min.js')), 'utf8');

/** Starts the machine's browser. */
export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] });

/**
 * Opens a window of a new visitor. Its check() fails where anything but a published document was sent, where something
 * came from elsewhere, or where the browser complained.
 */
export async function visitor(browser, { width = 1280, height = 900 } = {}) {
  // axe is put in by the test, beside the page's policy; the policy's own complaints are gathered all the same.
  const context = await browser.newContext({ viewport: { width, height }, locale: 'en-IE', baseURL: shop.url });
  context.setDefaultTimeout(45_000);
  const complaints = [];
  const operations = [];
  const look = (body, by) => {
    const id = body.extensions?.persistedQuery?.sha256Hash;
    const published = shop.documents[id];
    if (body.query || !published) {
      complaints.push(`${by}: not published: ${JSON.stringify(body).slice(0, 200)}`);
    }
    operations.push(published);
  };
  await context.exposeFunction('complain', (text) => complaints.push(text));
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (e) => window.complain(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}`));
  });
  context.on('request', (request) => {
    const url = new URL(request.url());
    if (url.origin !== shop.url && url.protocol !== 'data:') {
      complaints.push(`from elsewhere: ${url}`);
    }
    if (url.pathname === '/graphql') {
      assert.equal(request.method(), 'POST');
      look(request.postDataJSON(), 'HTTP');
    }
  });
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) {
      complaints.push(`console: ${message.text()}`);
    }
  });
  context.on('weberror', (error) => complaints.push(`error: ${error.error().message}`));
  const page = await context.newPage();
  const watch = (p) =>
    p.on('websocket', (socket) =>
      socket.on('framesent', ({ payload }) => {
        const message = JSON.parse(payload);
        if (message.type === 'subscribe') {
          look(message.payload, 'WebSocket');
        }
      }),
    );
  watch(page);
  context.on('page', watch);
  return {
    page,
    context,
    operations,
    check: () => assert.deepEqual(complaints, []),
  };
}

/** Fails where the page, or a part of it, has a fault that axe finds, or the page is wider than the window. */
export async function sound(page, where, part = 'html') {
  await page.evaluate(() => document.fonts.ready);
  await page.evaluate(`(() => { const module = undefined, define = undefined; ${axeSource} })()`);
  const { violations } = await page.evaluate(
    (selector) => window.axe.run(document.querySelector(selector), { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }),
    part,
  );
  const faults = violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.html.slice(0, 160)).join(' | ')}`);
  assert.deepEqual(faults, [], where);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${where} is ${wide} pixels too wide`);
}

/** Waits for the newest e-mail to an address whose text has a link of this kind, and gives the link's way into the shop. */
export async function mailed(page, to, kind) {
  const deadline = Date.now() + 15_000;
  while (Date.now() < deadline) {
    const answer = await page.request.get(`/dev/mailbox/latest?${new URLSearchParams({ to })}`);
    const link = answer.ok() && new RegExp(`https?://\\S+/${kind}\\S*`).exec(await answer.text());
    if (link) {
      const { pathname, hash } = new URL(link[0]);
      return pathname + hash;
    }
    await page.waitForFunction((began) => performance.now() - began > 100, await page.evaluate(() => performance.now()));
  }
  return assert.fail(`no mail to ${to} has a link ${kind}`);
}

/** The code of an authenticator app (RFC 6238), so many steps of 30 seconds from now. */
export function code(secret, steps = 0) {
  const bits = [...secret.replace(/\s|=/g, '')].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((b) => Number.parseInt(b, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const mac = createHmac('sha1', key).update(counter).digest();
  return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}
