/** The page alone, against the mock host of web/dev: what a real host does not do on demand. Needs web/dist. */

import { Checks, expect, expectContrast, expectNames, expectNoSidewaysScroll, launch, live, openPage, screenshot, SIZES, THEMES, until } from './harness.mjs';
import { startMock } from '../../web/dev/mock.mjs';

const checks = new Checks();
const browser = await launch();
const mock = await startMock({ port: 0, tickMs: 100 });
const home = mock.url + '/';
const tell = async (what, body = {}) => {
  const answer = await fetch(`${mock.url}/mock/${what}`, { method: 'POST', body: JSON.stringify(body) });
  expect(answer.ok, `the mock answered ${answer.status} to ${what}`);
};
const reaches = (page, seq) => until(page, (seq) => Number(/position ([0-9,]+)/.exec(document.querySelector('footer').textContent)?.[1].replaceAll(',', '')) >= seq, seq, `position ${seq}`);

const CUT = [/WebSocket/, /\/ws/];
const { page, troubles, close } = await openPage(browser, home, { allow: CUT });

await checks.check('opens live under the strict content policy', async () => {
  await page.goto(home);
  await live(page);
  await page.waitForSelector('[data-feed] [data-decision]');
});

await checks.check('a cut connection comes back and goes on', async () => {
  await tell('drop');
  await until(page, () => document.querySelector('[data-connection]').dataset.connection !== 'live', null, 'the cut to be seen');
  await live(page);
  await reaches(page, mock.story.seq);
});

await checks.check('a lost patch is found and healed', async () => {
  await tell('lose');
  await reaches(page, mock.story.seq + 2);
  await live(page);
  const shown = await until(page, () => document.querySelector('[data-stage=outcome] .count')?.textContent, null, 'the outcomes');
  expect(Number(shown) <= mock.story.outcomes.length, `shows ${shown} outcomes of ${mock.story.outcomes.length}`);
});

await checks.check('a gap is healed by a snapshot', async () => {
  await tell('gap');
  await reaches(page, mock.story.seq + 1);
  await live(page);
});

await checks.check('without WebSockets the state is asked for, and the feed is taken up again later', async () => {
  await tell('deaf', { on: true });
  await page.waitForSelector('[data-connection=polling]');
  await reaches(page, mock.story.seq + 2);
  await tell('deaf', { on: false });
  await page.getByRole('button', { name: 'Retry now' }).click();
  await live(page);
});

await checks.check('a refused policy file says where, what and how to fix it', async () => {
  await tell('refuse', { kind: 'curriculum' });
  const refusal = page.locator('[data-refusal=curriculum]');
  await refusal.waitFor();
  const text = await refusal.innerText();
  for (const part of ['learning-progress.rhai:12:9', 'PM2104', 'To fix it', 'goes on serving']) expect(text.includes(part), `no "${part}" in: ${text}`);
});

await checks.check('a swap shows on the card; a roll-back asks why and may be left', async () => {
  const card = page.locator('[data-policy-kind=curriculum]');
  const before = Number(await card.getAttribute('data-generation'));
  await tell('swap', { kind: 'curriculum', version: '3.1.0' });
  await page.waitForSelector(`[data-policy-kind=curriculum][data-generation="${before + 1}"]`);
  expect((await page.locator('[data-refusal=curriculum]').count()) === 0, 'the refusal of the old file still stands');
  await card.getByRole('button', { name: /Roll back/ }).click();
  await page.keyboard.press('Escape');
  await until(page, () => document.querySelector('dialog[open]') === null, null, 'the dialog to close');
  expect(Number(await card.getAttribute('data-generation')) === before + 1, 'leaving the dialog rolled back');
  await card.getByRole('button', { name: /Roll back/ }).click();
  expect(await page.locator('dialog[open] button[type=submit]').isDisabled(), 'a roll-back without a reason is possible');
  await page.locator('dialog[open] input[name=reason]').fill('too eager');
  await page.keyboard.press('Enter');
  await page.waitForSelector(`[data-policy-kind=curriculum][data-generation="${before + 2}"]`);
});

await checks.check('a refused source names its field', async () => {
  const guarded = await openPage(browser, home, { allow: [/422/] });
  try {
    await guarded.page.goto(home);
    await guarded.page.fill('input[name=title]', 'A title');
    await guarded.page.fill('input[name=host]', 'NOT A HOST');
    await guarded.page.getByRole('button', { name: 'Queue it' }).click();
    await guarded.page.locator('form [role=alert]', { hasText: 'host: may hold' }).waitFor();
    expect((await guarded.page.inputValue('input[name=title]')) === 'A title', 'what was typed is gone');
    expect(guarded.troubles.length === 0, () => guarded.troubles.join('\n'));
  } finally {
    await guarded.close();
  }
});

await checks.check('keys: help, pages, search, and none of them while typing', async () => {
  await page.keyboard.press('?');
  await page.locator('dialog[open]', { hasText: 'Keyboard' }).waitFor();
  await page.keyboard.press('Escape');
  await until(page, () => document.querySelector('dialog[open]') === null, null, 'the help to close');
  await page.keyboard.press('/');
  await until(page, () => document.activeElement?.getAttribute('type') === 'search', null, 'the search to have the focus');
  await page.keyboard.type('go?');
  expect((await page.inputValue('input[type=search]')) === 'go?', 'a shortcut took what was typed');
  expect(page.url().includes('q=go'), 'the search is not in the address');
  await page.locator('h1').click();
  await page.keyboard.press('g');
  await page.keyboard.press('d');
  await page.locator('h1', { hasText: 'Decisions' }).waitFor();
  await page.goBack();
  await page.locator('h1', { hasText: 'Jobs' }).waitFor();
});

await checks.check('the first Tab offers to skip to the content', async () => {
  const fresh = await openPage(browser, home);
  try {
    await fresh.page.goto(home);
    await live(fresh.page);
    await fresh.page.keyboard.press('Tab');
    expect((await fresh.page.evaluate(() => document.activeElement?.className)).includes('skip'), 'the skip link is not first');
    await fresh.page.keyboard.press('Enter');
    expect((await fresh.page.evaluate(() => document.activeElement?.id)) === 'main', 'the focus is not in the content');
  } finally {
    await fresh.close();
  }
});

await checks.check('a link to failed jobs shows these alone', async () => {
  await page.goto(`${home}#/jobs?status=failed`);
  await page.waitForSelector('tr[data-job]');
  const words = await page.$$eval('tr[data-job] td.status', (cells) => [...new Set(cells.map((cell) => cell.textContent.trim()))]);
  expect(words.join() === 'Failed', `statuses ${words}`);
});

await checks.check('older decisions are loaded without doubles', async () => {
  await page.goto(`${home}#/decisions`);
  const more = page.getByRole('button', { name: /Load older/ });
  await more.waitFor();
  const before = await page.locator('[data-decision]').count();
  await more.click();
  await until(page, (before) => document.querySelectorAll('[data-decision]').length > before, before, 'more decisions');
  const ids = await page.$$eval('[data-decision]', (rows) => rows.map((row) => Number(row.dataset.decision)));
  expect(new Set(ids).size === ids.length, 'a decision stands twice');
  expect(ids.every((id, at) => at === 0 || id < ids[at - 1]), 'decisions are not in order');
});

await checks.check('a decision by a fallback says who did not answer, and shows scores', async () => {
  // Not every kind scores its candidates; the story has one that does, by a fallback.
  const scored = (one) => mock.story.details.get(one.id).ruling.advice.scores?.totals.length > 0;
  const fallback = mock.story.decisions.find((one) => one.declined.length > 0 && scored(one));
  await page.goto(`${home}#/decisions/${fallback.id}`);
  await page.locator('h2', { hasText: 'Asked first' }).waitFor();
  await page.locator('section', { has: page.locator('#scores-title') }).locator('tbody tr').first().waitFor();
});

await checks.check('a run can be cancelled, with a reason', async () => {
  // A host whose runs are long enough to be caught at work.
  const slow = await startMock({ port: 0, tickMs: 1_000 });
  const opened = await openPage(browser, slow.url);
  try {
    await opened.page.goto(slow.url);
    const running = await until(opened.page, () => document.querySelector('[data-curve]')?.innerText.includes('running job') && document.querySelector('[data-curve]').dataset.curve, null, 'a running job');
    await opened.page.goto(`${slow.url}/#/jobs/${running}`);
    await opened.page.getByRole('button', { name: 'Cancel the run' }).click();
    await opened.page.locator('dialog[open] input[name=reason]').fill('not needed');
    await opened.page.keyboard.press('Enter');
    await opened.page.waitForSelector(`[data-job-page="${running}"][data-status=cancelled]`);
    expect(opened.troubles.length === 0, () => opened.troubles.join('\n'));
  } finally {
    await opened.close();
    slow.close();
  }
});

await checks.check('a decision that is not there says so', async () => {
  const lost = await openPage(browser, home, { allow: [/404/] });
  try {
    await lost.page.goto(`${home}#/decisions/999999`);
    await lost.page.locator('[role=alert]', { hasText: 'There is no' }).waitFor();
    await lost.page.goto(`${home}#/no/such/page`);
    await lost.page.getByText('There is no page').waitFor();
    expect(lost.troubles.length === 0, () => lost.troubles.join('\n'));
  } finally {
    await lost.close();
  }
});

await checks.check('the theme is changed by its button and remembered', async () => {
  const fresh = await openPage(browser, home, { theme: 'light' });
  try {
    await fresh.page.goto(home);
    await live(fresh.page);
    const theme = () => fresh.page.evaluate(() => document.documentElement.dataset.theme);
    const axis = () => fresh.page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue('--muted'));
    const light = await axis();
    const button = fresh.page.getByRole('button', { name: /^Theme/ });
    await button.click();
    await button.click();
    expect((await theme()) === 'dark', `theme is ${await theme()}`);
    expect((await axis()) !== light, 'the axis colour stayed');
    await fresh.page.reload();
    await live(fresh.page);
    expect((await theme()) === 'dark', 'the theme was forgotten');
    await fresh.page.emulateMedia({ colorScheme: 'light' });
    expect((await theme()) === 'dark', 'the system overrode the choice');
  } finally {
    await fresh.close();
  }
});

await checks.check('an empty host says what is missing and how to fill it', async () => {
  const empty = await startMock({ port: 0, scene: 'empty', tickMs: 100 });
  for (const size of Object.keys(SIZES)) {
    const opened = await openPage(browser, empty.url, { size, theme: 'dark' });
    try {
      await opened.page.goto(empty.url);
      await live(opened.page);
      await opened.page.getByText('pointsman queue add').first().waitFor();
      await screenshot(opened.page, `mock-empty-${size}-dark`);
      await expectNoSidewaysScroll(opened.page);
      await expectContrast(opened.page);
      expect(opened.troubles.length === 0, () => opened.troubles.join('\n'));
    } finally {
      await opened.close();
    }
  }
  empty.close();
});

await checks.check('controls have names', () => expectNames(page));
await checks.check('no console error, no failed request, no other origin', async () => {
  expect(troubles.length === 0, () => troubles.join('\n'));
});
await close();

const failed = mock.story.jobs.find((job) => job.status_slug === 'failed').id;
const scored = mock.story.decisions.find((one) => one.declined.length > 0).id;
const places = { overview: '#/', jobs: '#/jobs', job: `#/jobs/${failed}`, decisions: '#/decisions', decision: `#/decisions/${scored}` };
for (const size of Object.keys(SIZES)) {
  for (const theme of THEMES) {
    await checks.check(`${size}, ${theme}: on every page nothing is cut off and all can be read`, async () => {
      const opened = await openPage(browser, home, { size, theme });
      try {
        for (const [name, hash] of Object.entries(places)) {
          await opened.page.goto(home + hash);
          await live(opened.page);
          await opened.page.waitForSelector({ overview: '[data-feed]', jobs: '[data-job]', job: '[data-job-page]', decisions: '[data-decision]', decision: '.tree' }[name]);
          await screenshot(opened.page, `mock-${name}-${size}-${theme}`);
          await expectNoSidewaysScroll(opened.page);
          await expectContrast(opened.page);
        }
        expect(opened.troubles.length === 0, () => opened.troubles.join('\n'));
      } finally {
        await opened.close();
      }
    });
  }
}

await browser.close();
mock.close();
checks.end();
