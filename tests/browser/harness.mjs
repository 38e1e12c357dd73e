/** What both browser tests share: one browser, checks that are counted, pages that are watched, waits for states. */

import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

/** Longest wait for a state. Nothing here waits for a time. */
export const WAIT_MS = Number(process.env.POINTSMAN_WAIT_MS ?? 60_000);
export const SHOTS = fileURLToPath(new URL('./shots/', import.meta.url));

export const SIZES = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };
export const THEMES = ['light', 'dark'];

/** A question that a newer one ends; and Chromium now and then says it of a streamed answer that was read to its end. */
export const ENDED = /(dry-run|check|value|verify) net::ERR_ABORTED/;

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'];

export function launch() {
  mkdirSync(SHOTS, { recursive: true });
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, args: FLAGS });
}

/**
 * A page of its own, watched from its first request: console errors, exceptions, refused or failed requests and requests
 * to another origin are its troubles. `allow` says which of them a test brings about on purpose.
 */
export async function openPage(browser, url, { size = 'desktop', theme = 'light', allow = [], ...context } = {}) {
  const made = await browser.newContext({ viewport: SIZES[size], colorScheme: theme, deviceScaleFactor: 1, reducedMotion: 'reduce', ...context });
  const page = await made.newPage();
  page.setDefaultTimeout(WAIT_MS);
  const troubles = [];
  const note = (text) => {
    if (!allow.some((pattern) => pattern.test(text))) troubles.push(text);
  };
  page.on('console', (message) => message.type() === 'error' && note(`console: ${message.text()}`));
  page.on('pageerror', (error) => note(`exception: ${error.message}`));
  page.on('requestfailed', (request) => note(`failed: ${request.method()} ${request.url()} ${request.failure()?.errorText ?? ''}`));
  page.on('response', (response) => response.status() >= 400 && note(`answered ${response.status()}: ${response.request().method()} ${response.url()}`));
  page.on('request', (request) => new URL(request.url()).origin !== new URL(url).origin && note(`another origin: ${request.url()}`));
  return { page, troubles, close: () => made.close() };
}

export class Checks {
  passed = 0;
  failed = 0;

  /** One thing that must hold; the story goes on when it does not, so that a run tells all that is wrong. */
  async check(name, holds) {
    const began = performance.now();
    try {
      await holds();
      this.passed += 1;
      console.log(`ok    ${name} (${Math.round(performance.now() - began)} ms)`);
    } catch (error) {
      this.failed += 1;
      console.log(`FAIL  ${name}\n      ${String(error.message ?? error).split('\n').slice(0, 12).join('\n      ')}`);
    }
  }

  /** The closing line, and the exit code that goes with it. */
  end() {
    console.log(`${this.passed} passed, ${this.failed} failed`);
    process.exitCode = this.failed === 0 && this.passed > 0 ? 0 : 1;
  }
}

export function expect(condition, otherwise) {
  if (!condition) throw new Error(typeof otherwise === 'function' ? otherwise() : otherwise);
}

export function live(page) {
  return page.waitForSelector('[data-connection=live]');
}

/** Waits until `read` in the page answers something other than null or false, and answers that. */
export async function until(page, read, argument, what) {
  try {
    return await (await page.waitForFunction(read, argument, { polling: 100 })).jsonValue();
  } catch (error) {
    throw new Error(`waited ${WAIT_MS} ms for ${what}: ${error.message.split('\n')[0]}`);
  }
}

export async function screenshot(page, name) {
  await page.evaluate(() => document.fonts.ready);
  await page.screenshot({ path: `${SHOTS}${name}.png`, fullPage: true });
}

export async function expectNoSidewaysScroll(page) {
  const beyond = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(beyond <= 0, `the page is ${beyond} px wider than its window`);
}

/** Text must stand out 4.5 to 1 from what is behind it, large text 3 to 1 (WCAG AA). */
export async function expectContrast(page) {
  const poor = await page.evaluate(() => {
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const rgba = (color) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      return [r, g, b, a / 255];
    };
    const over = ([r, g, b, a], [r2, g2, b2]) => [r * a + r2 * (1 - a), g * a + g2 * (1 - a), b * a + b2 * (1 - a), 1];
    const behind = (element) => {
      const layers = [];
      // Out of a shadow root it goes on with what holds it.
      for (let at = element; at; at = at.parentElement ?? at.getRootNode().host) layers.push(rgba(getComputedStyle(at).backgroundColor));
      return layers.reduceRight((below, layer) => over(layer, below), [255, 255, 255, 1]);
    };
    const luminance = ([r, g, b]) => {
      const [x, y, z] = [r, g, b].map((c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const found = [];
    const all = (root) => [...root.querySelectorAll('*')].flatMap((element) => [element, ...(element.shadowRoot ? all(element.shadowRoot) : [])]);
    for (const element of all(document.body)) {
      const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== '');
      if (!text || element.closest('.visually-hidden, :disabled, datalist, noscript') || !element.checkVisibility()) continue;
      const style = getComputedStyle(element);
      const ground = behind(element);
      const [a, b] = [luminance(over(rgba(style.color), ground)), luminance(ground)].sort((x, y) => y - x);
      const ratio = (a + 0.05) / (b + 0.05);
      const size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      if (ratio < (large ? 3 : 4.5)) found.push(`${ratio.toFixed(2)} "${element.textContent.trim().slice(0, 40)}" ${element.tagName}.${element.className}`);
    }
    return found;
  });
  expect(poor.length === 0, () => `too little contrast:\n${poor.slice(0, 8).join('\n')}`);
}

/** Each control can be named by a screen reader. */
export async function expectNames(page) {
  const nameless = await page.evaluate(() =>
    [...document.querySelectorAll('button, a[href], input, textarea, select')]
      .filter((element) => element.checkVisibility())
      .filter((element) => !(element.getAttribute('aria-label') || element.textContent.trim() || element.labels?.length))
      .map((element) => element.outerHTML.slice(0, 120)),
  );
  expect(nameless.length === 0, () => `controls without a name:\n${nameless.join('\n')}`);
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** No fault that axe calls serious or critical. What it is not sure of, and what it finds less grave, is left to people. */
export async function expectAccessible(page) {
  // Evaluated by the browser's own protocol: the page's content policy lets no script of others in.
  await page.evaluate(`if (!window.axe) { ${AXE} }`);
  const faults = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
    return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, impact, help, nodes }) => `${impact} ${id}: ${help}\n  ${nodes.slice(0, 4).map((node) => node.target.join(' ')).join('\n  ')}`);
  });
  expect(faults.length === 0, () => faults.join('\n'));
}
