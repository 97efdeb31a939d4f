// The documentation at /docs in a browser. Run by docs/site/browser_test.go.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, sound, visitor } from './browser.mjs';

const pictures = process.env.PICTURES; // a directory for screenshots, where they are wanted

let browser;
before(async () => void (browser = await launch()));
after(() => browser.close());

test('a reader finds a mutation by search, and a type by a link', async () => {
  const { page, check } = await visitor(browser);
  await page.goto('/docs/');
  await page.getByRole('link', { name: 'Browse the reference' }).waitFor();
  await page.getByRole('button', { name: 'Search' }).click();
  await page.getByPlaceholder('Search').fill('orderPlace');
  await page.locator('#localsearch-list a').first().waitFor();
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/docs\/reference\/orders(\.html)?#mutation-orderplace/);
  await page.locator('h3#mutation-orderplace').waitFor();
  if (pictures) await page.screenshot({ path: `${pictures}/docs-reference.png` });
  await page.getByRole('row', { name: /^input OrderPlaceInput/ }).first().getByRole('link', { name: 'OrderPlaceInput' }).click();
  await page.waitForURL(/#orderplaceinput$/);
  assert.match(await page.locator('#orderplaceinput-idempotencykey').innerText(), /safe to repeat/);
  await sound(page, 'the reference', '.vp-doc');
  check();
});

test('an example is one click from what it uses', async () => {
  const { page, check } = await visitor(browser);
  await page.goto('/docs/reference/orders#mutation-orderplace');
  await page.getByRole('link', { name: 'Order and pay' }).first().click();
  await page.waitForURL(/\/docs\/examples\/buying(\.html)?#place$/);
  // The address changes before the page does.
  await page.waitForFunction(() => /mutation Checkout/.test(document.querySelector('main').innerText));
  if (pictures) await page.screenshot({ path: `${pictures}/docs-example.png` });
  check();
});

test('on a phone, in the dark, at a field', async () => {
  const { page, check } = await visitor(browser, { width: 390, height: 844 });
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.goto('/docs/reference/products#product-pricerange');
  await page.locator('#product-pricerange').waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.classList.contains('dark')), true);
  const top = await page.locator('#product-pricerange').evaluate((row) => row.getBoundingClientRect().top);
  assert.ok(top >= 0 && top < 844, `the field is in sight: ${top}`);
  if (pictures) await page.screenshot({ path: `${pictures}/docs-phone.png` });
  check();
});
