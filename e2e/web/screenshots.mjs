// Takes the README's pictures of a shop that `make run` has started: node screenshots.mjs http://127.0.0.1:8080 DIR
import { chromium } from 'playwright-core';

const [, , base, dir] = process.argv;
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });

/** A window as one has it on a desk, or in the hand. */
async function open(width, height, scale) {
  const context = await browser.newContext({ viewport: { width, height }, locale: 'en-IE', baseURL: base, reducedMotion: 'reduce', deviceScaleFactor: scale });
  return context.newPage();
}

/** Takes a picture of what shows once it has come to rest. */
async function take(page, name) {
  await page.waitForLoadState('networkidle');
  await page.evaluate(() => document.fonts.ready);
  await page.mouse.move(0, 0);
  await page.evaluate(() => window.scrollTo(0, 0));
  await page.screenshot({ path: `${dir}/${name}.png`, animations: 'disabled' });
}

const desk = await open(1280, 800, 0.75);
await desk.goto('/shop');
await desk.getByRole('heading', { name: 'What others buy' }).waitFor();
await take(desk, 'shop-home');
await desk.goto('/shop/search?q=headphones&vendor=Aurelia&available=true');
await desk.getByRole('button', { name: 'Show more' }).or(desk.locator('.card')).first().waitFor();
await take(desk, 'shop-search');
await desk.goto('/shop/p/aurelia-stille-114-headphones');
await desk.getByRole('button', { name: 'Add to cart' }).click();
await desk.getByRole('link', { name: 'Go to the cart' }).waitFor();
await desk.goto('/shop/p/nordlicht-x14-laptop');
await desk.getByRole('button', { name: 'Add to cart' }).waitFor();
await take(desk, 'shop-product');
await desk.getByRole('button', { name: 'Add to cart' }).click();
await desk.getByRole('link', { name: 'Cart, 2 items' }).waitFor();
await desk.goto('/shop/sign-in?next=/checkout');
await desk.getByLabel('E-mail address').fill('ada@techmart.example');
await desk.getByLabel('Password').fill('techmart-demo-2026');
await desk.getByRole('button', { name: 'Sign in' }).click();
await desk.getByRole('heading', { name: 'Where to' }).waitFor();
const address = desk.locator('input[name=address]').first();
if (!(await address.isChecked())) {
  await desk.getByLabel('Name on the parcel').fill('Ada Lovelace');
  await desk.getByLabel('Street and number').fill('Ackerstr. 1');
  await desk.getByLabel('Postal code').fill('10115');
  await desk.getByLabel('City').fill('Berlin');
}
await desk.locator('input[name=shipping]').first().waitFor();
await desk.getByRole('button', { name: 'Order and pay' }).click();
await desk.locator('[data-status=CONFIRMED]').waitFor();
await take(desk, 'shop-order');

const phone = await open(390, 800, 1);
await phone.goto('/shop/p/nordlicht-x14-laptop');
await phone.getByRole('button', { name: 'Add to cart' }).waitFor();
await take(phone, 'shop-phone');
await browser.close();
