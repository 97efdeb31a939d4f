// The playground as a developer uses it: signs in with one click, opens every worked query and runs it, sees what it
// costs and where its time goes, and follows a subscription.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { launch, shop } from './browser.mjs';

const shots = process.env.SHOTS; // a directory for screenshots; none are taken without it

test('the playground', async (t) => {
  const browser = await launch();
  t.after(() => browser.close());
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, baseURL: shop.url });
  context.setDefaultTimeout(45_000);
  const complaints = [];
  await context.exposeFunction('complain', (text) => complaints.push(text));
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (e) => window.complain(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}`));
  });
  context.on('request', (request) => {
    const url = new URL(request.url());
    if (url.origin !== shop.url && !['data:', 'blob:'].includes(url.protocol)) {
      complaints.push(`from elsewhere: ${url}`);
    }
  });
  context.on('console', (message) => {
    if (message.type() === 'error') {
      complaints.push(`console: ${message.text()}`);
    }
  });
  context.on('weberror', (error) => complaints.push(`error: ${error.error().message}`));
  const page = await context.newPage();
  await page.goto('/playground');
  const shoot = async (name) => shots && writeFileSync(`${shots}/${name}.png`, await page.screenshot());

  const summary = page.locator('.summary');
  const answer = page.locator('.result-window');
  const run = async () => {
    const before = await summary.textContent();
    await page.getByRole('button', { name: /Execute query/ }).click();
    await page.waitForFunction((text) => document.querySelector('.summary')?.textContent !== text, before);
  };
  const as = async (role) => {
    const button = page.getByRole('button', { name: role, exact: true });
    await button.click();
    await page.waitForFunction((name) => [...document.querySelectorAll('header button[aria-pressed="true"]')].some((b) => b.textContent === name), role);
  };

  await t.test('a first query says what it cost', async () => {
    await page.waitForFunction(() => document.querySelector('.graphiql-query-editor')?.textContent.includes('products'));
    await run();
    assert.match(await summary.textContent(), /cost \d+ \(estimated \d+\) · budget \d+ of \d+ · \d+ ms · [\d.]+ ms in the shop · .*mongodb \d/);
    assert.match((await answer.textContent()).replaceAll('\u00a0', ' '), /Fjord Camera/);
  });

  await t.test('the trace shows servers and resolvers', async () => {
    await page.getByRole('button', { name: 'Show Cost and trace' }).click();
    const trace = page.locator('.trace');
    assert.match(await trace.textContent(), /Calls to servers \([1-9]/);
    assert.match(await trace.textContent(), /products/);
    await shoot('playground-trace');
  });

  await t.test('the explorer shows the fields', async () => {
    await page.getByRole('button', { name: 'Show GraphiQL Explorer' }).click();
    await page.getByText('searchSuggestions').first().waitFor();
  });

  await t.test('every worked query runs', async () => {
    await page.getByRole('button', { name: 'Show Worked queries' }).click();
    const names = await page.locator('.collection li strong').allTextContents();
    assert.ok(names.length >= 10, `${names.length} worked queries`);
    const roles = { 'I build an app for customers': 'customer', 'I build tools for staff': 'admin' };
    for (const name of names) {
      const entry = page.locator('.collection li button', { has: page.getByText(name, { exact: true }) });
      const group = await entry.locator('xpath=ancestor::div[1]/h3').textContent();
      await as(roles[group] ?? 'nobody');
      await entry.click();
      await page.waitForFunction((title) => document.querySelector('.graphiql-query-editor')?.textContent.replaceAll('\u00a0', ' ').includes(title), name);
      if (/live|changes/.test(name)) {
        continue; // subscriptions have a test of their own
      }
      await run();
      const text = await summary.textContent();
      assert.ok(!/error/.test(text), `${name}: ${text}: ${await answer.textContent()}`);
      const said = (await answer.textContent()).replaceAll('\u00a0', ' ');
      assert.ok(!/"errors": |"userErrors": \[\s*\{/.test(said), `${name}: ${said}`);
      if (name === 'My account and orders') {
        await shoot('playground');
      }
    }
  });

  await t.test('a subscription shows each event', async () => {
    await as('customer');
    await page.locator('.collection li button', { hasText: 'Follow my orders live' }).click();
    await page.waitForFunction(() => document.querySelector('.graphiql-query-editor')?.textContent.includes('orderUpdated'));
    const subscribed = new Promise((resolve) => {
      page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => payload.includes('"subscribe"') && resolve()));
    });
    await page.getByRole('button', { name: /Execute query/ }).click();
    await subscribed;
    // Somebody else's program orders for the same account.
    const ask = async (query, variables) => {
      const response = await fetch(`${shop.url}/graphql`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${shop.token}` },
        body: JSON.stringify({ query, variables }),
      });
      return response.json();
    };
    await ask('mutation($id: ID!) { cartLinesAdd(input: { lines: [{ variantId: $id, quantity: 1 }] }) { userErrors { message } } }', { id: shop.variantId });
    const placed = await ask(
      `mutation($key: String!) { orderPlace(input: { idempotencyKey: $key, paymentToken: "tok_visa", shippingAddress: {
        recipient: "Ada", line1: "Street 1", city: "Berlin", postalCode: "10117", countryCode: "DE" } }) { order { number } userErrors { message } } }`,
      { key: crypto.randomUUID() },
    );
    const number = placed.data?.orderPlace?.order?.number;
    assert.ok(number, JSON.stringify(placed));
    await page.waitForFunction((n) => document.querySelector('.result-window')?.textContent.includes(n), number);
    assert.match(await summary.textContent(), /event \d/);
    await shoot('playground-subscription');
  });

  assert.deepEqual(complaints, []);
});
