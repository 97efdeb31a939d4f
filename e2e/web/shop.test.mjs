// The shop front as its customers meet it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { code, launch, mailed, shop, sound, visitor } from './browser.mjs';

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

/** Whether what is found shows, sooner or later. */
const shown = (locator) => locator.first().waitFor({ state: 'visible' });

/** Waits until a text is that of the locator. */
async function reads(locator, pattern) {
  await locator.filter({ hasText: pattern }).first().waitFor({ state: 'visible' });
}

const password = 'nanoseconds-of-wire';

/** Signs in on the page that is open. */
async function signIn(page, email, secret = password) {
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password').fill(secret);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** Registers, follows the link of the mail, and comes to the sign-in. */
async function register(page, name, email) {
  await page.getByLabel('Your name').fill(name);
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Create account' }).click();
  await shown(page.getByRole('heading', { name: 'Look into your mail' }));
  await page.goto(await mailed(page, email, 'verify-email'));
  await page.getByRole('button', { name: 'Confirm my address' }).click();
  await shown(page.getByRole('heading', { name: 'Thank you' }));
}

test('from the search to an order that is confirmed', async () => {
  const me = await visitor(browser);
  const { page } = me;
  await page.goto('/shop');
  await shown(page.getByRole('link', { name: /^Fjord Headphones/ }));
  await sound(page, 'the first page');

  // Suggestions, by the keyboard.
  const box = page.getByRole('combobox', { name: 'Search the shop' });
  await box.click();
  await box.pressSequentially('headph');
  await shown(page.getByRole('option', { name: 'headphones' }));
  await sound(page, 'suggestions');
  await box.press('ArrowDown');
  await box.press('Enter');
  await shown(page.getByRole('heading', { name: 'Results for “headphones”' }));
  await reads(page.getByRole('status'), `${shop.products} products`);
  await page.getByRole('checkbox', { name: /^Fjord/ }).waitFor();
  await sound(page, 'the search');

  // Facets narrow, and stand in the address.
  await page.getByRole('group', { name: 'Brand' }).getByRole('checkbox', { name: /Nordlicht/ }).check();
  await reads(page.getByRole('status'), '2 products');
  assert.equal(new URL(page.url()).searchParams.get('vendor'), 'Nordlicht');
  await page.goBack();
  await reads(page.getByRole('status'), `${shop.products} products`);

  // Pages by cursors.
  assert.equal(await page.locator('.card').count(), 24);
  await page.getByRole('button', { name: 'Show more' }).click();
  await reads(page.getByRole('status'), `${shop.products} of ${shop.products} products`);
  assert.equal(await page.locator('.card').count(), shop.products);
  assert.equal(new Set(await page.locator('.card-title').allTextContents()).size, shop.products);

  // A product, and one of its variants.
  await page.getByRole('link', { name: 'Fjord Headphones 1', exact: true }).click();
  await reads(page.getByRole('status'), 'In stock, 40 available');
  await page.getByRole('radio', { name: 'Silver' }).check();
  await reads(page.locator('.product-price'), '119.00');
  await reads(page.getByRole('status'), 'In stock, 25 available');
  await sound(page, 'a product');
  const other = await visitor(browser);
  await other.page.goto(page.url());
  await reads(other.page.getByRole('status'), 'In stock, 25 available');

  // A guest's cart.
  await page.getByRole('button', { name: 'Add to cart' }).click();
  await shown(page.getByRole('link', { name: 'Cart, 1 item' }));
  await page.getByRole('link', { name: 'Go to the cart' }).click();
  await page.getByRole('button', { name: 'One more' }).click();
  await shown(page.getByRole('link', { name: 'Cart, 2 items' }));
  await page.reload();
  await reads(page.locator('.line-total'), '238.00');
  await page.getByLabel('Promotion code').fill('nothing10');
  await page.getByRole('button', { name: 'Apply' }).click();
  await shown(page.locator('.field-error'));
  await page.getByLabel('Promotion code').fill('welcome10');
  await page.getByRole('button', { name: 'Apply' }).click();
  await reads(page.locator('.totals-saved'), '23.80');
  await sound(page, 'the cart');

  // An account, whose cart it becomes.
  await page.getByRole('link', { name: 'Check out' }).click();
  await page.getByRole('link', { name: 'Create an account' }).click();
  await shown(page.getByRole('heading', { name: 'Create an account' }));
  await sound(page, 'the registration');
  const email = `grace-${Date.now()}@example.com`;
  await register(page, 'Grace Hopper', email);
  await page.goto('/shop/sign-in?next=/checkout');
  await signIn(page, email, 'not-the-password');
  await shown(page.getByRole('alert'));
  await sound(page, 'a sign-in that failed');
  await signIn(page, email);

  // The checkout.
  await shown(page.getByRole('heading', { name: 'Where to' }));
  await page.getByLabel('Name on the parcel').fill('Grace Hopper');
  await page.getByLabel('Street and number').fill('Ackerstr. 1');
  await page.getByLabel('Postal code').fill('10115');
  await page.getByLabel('City').fill('Berlin');
  await page.getByRole('radio', { name: /Express/ }).check();
  await reads(page.locator('.totals'), 'Express shipping');
  await page.getByRole('radio', { name: /Declined/ }).check();
  await page.getByRole('radio', { name: /Visa/ }).check();
  await sound(page, 'the checkout');
  await page.getByRole('button', { name: 'Order and pay' }).click();

  // The order comes to be confirmed before the customer's eyes: nothing is loaded anew.
  await shown(page.getByRole('heading', { name: /^Order T-/ }));
  await page.locator('[data-status=CONFIRMED]').waitFor();
  await reads(page.getByRole('list').filter({ hasText: 'The order was placed' }), 'The order is confirmed');
  assert.ok(me.operations.includes('OrderUpdated'));
  await sound(page, 'the order');
  await reads(other.page.getByRole('status'), 'In stock, 23 available');
  assert.ok(other.operations.includes('StockChanged'));
  await shown(page.getByRole('link', { name: 'Cart, 0 items' }));

  // The link of the mail leads to it, and it can be called off.
  const link = await mailed(page, email, 'orders');
  await page.goto(link);
  await page.getByRole('button', { name: 'Cancel this order' }).click();
  await sound(page, 'the question before a cancellation');
  await page.getByLabel('Why, if you like to tell').fill('Too quiet');
  await page.getByRole('button', { name: 'Cancel the order' }).click();
  await page.locator('[data-status=CANCELLED]').waitFor();
  await page.goto('/shop/orders');
  await shown(page.locator('[data-status=CANCELLED]'));
  await sound(page, 'the orders');
  other.check();
  me.check();
  await me.context.close();
  await other.context.close();
});

test('an account: second factor, tokens that are renewed, and a password that is forgotten', async () => {
  const { page, context, operations, check } = await visitor(browser);
  const email = `ada-${Date.now()}@example.com`;
  await page.goto('/shop/register');
  await register(page, 'Ada Lovelace', email);
  await page.goto('/shop/account');
  await signIn(page, email);
  await shown(page.getByRole('heading', { name: 'Hello, Ada Lovelace' }));
  await sound(page, 'the account');

  await page.getByLabel('Your password').fill(password);
  await page.getByRole('button', { name: 'Set it up' }).click();
  const secret = await page.locator('.secret').textContent();
  await page.getByLabel('Code that it shows').fill(code(secret));
  await page.getByRole('button', { name: 'Turn it on' }).click();
  await shown(page.locator('.recovery li'));
  assert.equal(await page.locator('.recovery li').count(), 10);
  const recovery = await page.locator('.recovery li').first().textContent();

  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('link', { name: 'Sign in' }).click();
  await signIn(page, email);
  await shown(page.getByRole('heading', { name: 'One more step' }));
  await sound(page, 'the second factor');
  await page.getByLabel('Code').fill('ABCD-EFGH-IJKL-MNOP');
  await page.getByRole('button', { name: 'Confirm' }).click();
  await shown(page.getByRole('alert').or(page.locator('.field-error')));
  await page.getByLabel('Code').fill(recovery);
  await page.getByRole('button', { name: 'Confirm' }).click();
  await shown(page.getByRole('link', { name: 'Ada' }));

  // An access token at its end is renewed, once for all tabs.
  const tokens = () => page.evaluate(() => JSON.parse(localStorage.getItem('techmart.session')));
  const before = await tokens();
  await page.evaluate((t) => localStorage.setItem('techmart.session', JSON.stringify({ ...t, accessTokenExpiresAt: '2020-01-01T00:00:00Z' })), before);
  const tab = await context.newPage();
  await Promise.all([page.goto('/shop/account'), tab.goto('/shop/orders')]);
  await shown(page.getByRole('heading', { name: 'Hello, Ada Lovelace' }));
  await shown(tab.getByRole('heading', { name: 'Nothing yet' }));
  assert.equal(operations.filter((name) => name === 'SessionRefresh').length, 1);
  assert.notEqual((await tokens()).refreshToken, before.refreshToken);

  // A new password ends every session, also in the other tab.
  await page.goto('/shop/forgot-password');
  await page.getByLabel('E-mail address').fill(email);
  await page.getByRole('button', { name: 'Send the link' }).click();
  await shown(page.getByRole('status').filter({ hasText: 'on its way' }));
  await page.goto(await mailed(page, email, 'reset-password'));
  await page.getByLabel('New password').fill('a-wholly-new-password');
  await page.getByRole('button', { name: 'Save it' }).click();
  await shown(page.getByRole('heading', { name: 'Done' }));
  await shown(tab.getByRole('heading', { name: 'Welcome back' }));
  check();
  await context.close();
});

test('on a phone', async () => {
  const { page, context, check } = await visitor(browser, { width: 390, height: 844 });
  await page.goto('/shop');
  await shown(page.getByRole('link', { name: /^Fjord Headphones/ }));
  await sound(page, 'the first page');
  await page.getByRole('combobox', { name: 'Search the shop' }).fill('headfones');
  await page.keyboard.press('Enter');
  await shown(page.getByRole('heading', { name: 'Results for “headphones”' }));
  await page.getByRole('button', { name: 'Filters' }).click();
  await page.getByRole('group', { name: 'Brand' }).getByRole('checkbox', { name: /Nordlicht/ }).check();
  await reads(page.getByRole('status'), '2 products');
  await sound(page, 'the search');
  await page.goto('/shop/c/listening');
  await page.getByLabel('Sort by').selectOption('cheap');
  await shown(page.getByRole('link', { name: 'Fjord Headphones 1', exact: true }));
  await sound(page, 'a category');
  await page.getByRole('link', { name: 'Fjord Headphones 1', exact: true }).click();
  await page.getByRole('button', { name: 'Add to cart' }).click();
  await sound(page, 'a product');
  await page.getByRole('link', { name: 'Go to the cart' }).click();
  await shown(page.getByRole('button', { name: 'One more' }));
  await sound(page, 'the cart');
  await page.getByRole('link', { name: 'Check out' }).click();
  await signIn(page, shop.customer.email, shop.customer.password);
  await shown(page.getByRole('heading', { name: 'Where to' }));
  await sound(page, 'the checkout');
  await page.getByLabel('Name on the parcel').fill('Test');
  await page.getByLabel('Street and number').fill('Ackerstr. 1');
  await page.getByLabel('Postal code').fill('10115');
  await page.getByLabel('City').fill('Berlin');
  await page.getByRole('radio', { name: /Declined/ }).check();
  await page.getByRole('button', { name: 'Order and pay' }).click();
  await page.locator('[data-status=FAILED]').waitFor();
  await sound(page, 'an order that failed');
  await page.goto('/shop/no/such/page');
  await shown(page.getByRole('heading', { name: 'There is nothing here' }));
  await sound(page, 'nothing');
  check();
  await context.close();
});
