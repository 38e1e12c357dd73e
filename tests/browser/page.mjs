/** The page alone, against the mock host of web/dev: what a real host does not do on demand. Needs web/dist. */

import { readFileSync } from 'node:fs';
import { Checks, ENDED, expect, expectAccessible, expectContrast, expectNames, expectNoSidewaysScroll, launch, live, openPage, screenshot, SIZES, THEMES, until } from './harness.mjs';
import { controlChecks } from './control.mjs';
import { learningChecks } from './learning.mjs';
import { queueChecks } from './queue.mjs';
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

const KIND = 'retry';
/** A script as a person would drop it: the mock reads what it says of itself, as the host does. */
const scriptFile = (version, body = '') => ({ name: 'retry.rhai', mimeType: 'text/plain', buffer: Buffer.from(`fn describe() { #{ name: "backoff", version: "${version}", kind: "${KIND}" } }\n${body}`) });
const answerDialog = async (on, reason, button) => {
  await on.locator('dialog[open] input[name=reason]').fill(reason);
  await on.locator('dialog[open]').getByRole('button', { name: button, exact: true }).click();
  await until(on, () => document.querySelector('dialog[open]') === null, null, 'the dialog to close');
};

await checks.check('the policies page tells of each kind what serves and what is under way', async () => {
  await page.goto(`${home}#/policies`);
  await page.waitForSelector('[data-version-row]');
  const kinds = await page.$$eval('article[data-policy-kind]', (cards) => cards.map((card) => card.dataset.policyKind));
  expect(kinds.join() === 'source-selection,retry,promotion-gate,curriculum', `kinds are ${kinds}`);
  const said = async (kind) => page.locator(`article[data-policy-kind=${kind}]`).innerText();
  expect((await said('source-selection')).includes('canary 20 %') && (await said('source-selection')).includes('pinned'), 'no canary or no pin');
  expect((await said('promotion-gate')).includes('shadow'), 'no shadow');
  await page.locator('[data-guards]').getByText('guard_runs_per_host_max', { exact: true }).waitFor();
});

await checks.check('what has to be confirmed counts down and is confirmed at a press', async () => {
  // A scene of its own: the others have swapped by now.
  const fresh = await startMock({ port: 0, tickMs: 100 });
  const opened = await openPage(browser, fresh.url);
  try {
    await opened.page.goto(`${fresh.url}/#/policies/${KIND}`);
    const left = () => opened.page.locator('[data-unconfirmed] strong').innerText();
    await opened.page.waitForSelector('[data-unconfirmed]');
    const before = await left();
    expect(/^[0-9]{2}:[0-9]{2}$/.test(before), `the countdown says ${before}`);
    await until(opened.page, (before) => document.querySelector('[data-unconfirmed] strong')?.innerText !== before, before, 'the countdown to move');
    await opened.page.locator('[data-unconfirmed]').getByRole('button', { name: 'Confirm' }).click();
    await until(opened.page, () => document.querySelector('[data-unconfirmed]') === null, null, 'the confirmation');
    await opened.page.locator('[role=status]', { hasText: 'is confirmed' }).first().waitFor();
    expect(opened.troubles.length === 0, () => opened.troubles.join('\n'));
  } finally {
    await opened.close();
    fresh.close();
  }
});

await checks.check('a file is checked only, and says where it is wrong', async () => {
  const offer = page.locator('[data-offer]');
  await page.goto(`${home}#/policies`);
  await offer.locator('input[type=file]').setInputFiles({ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('x') });
  await offer.locator('[role=alert]', { hasText: 'notes.txt is no policy' }).waitFor();
  await offer.locator('input[type=file]').setInputFiles(scriptFile('2.9.0', 'let x = ctx.backof_ms;'));
  const before = mock.story.desk.nextSwap;
  await offer.getByRole('button', { name: 'Check only' }).click();
  const refused = await offer.locator('[data-check=refused]').innerText();
  for (const part of ['retry.rhai:2:13', 'PM2104', 'To fix it']) expect(refused.includes(part), `no "${part}" in: ${refused}`);
  await offer.locator('input[type=file]').setInputFiles(scriptFile('2.9.0'));
  await offer.getByRole('button', { name: 'Check only' }).click();
  await offer.locator('[data-check=ok]', { hasText: 'backoff@2.9.0' }).waitFor();
  expect(mock.story.desk.nextSwap === before, 'checking started a swap');
});

await checks.check('a file that is dropped goes through its stages and becomes active', async () => {
  const offer = page.locator('[data-offer]');
  const generation = mock.story.policies.find((one) => one.kind === KIND).generation;
  const dropped = await page.evaluateHandle((text) => {
    const data = new DataTransfer();
    data.items.add(new File([text], 'retry.rhai', { type: 'text/plain' }));
    return data;
  }, scriptFile('3.0.0').buffer.toString());
  await offer.dispatchEvent('drop', { dataTransfer: dropped });
  expect(await offer.getByRole('button', { name: 'Activate', exact: true }).isDisabled(), 'it can be activated without a reason');
  await offer.locator('input[name=offer-reason]').fill('browser test');
  await offer.getByRole('button', { name: 'Activate', exact: true }).click();
  await page.waitForSelector('[data-swap][data-status=running] [data-stage-slug][data-stage-status=running]');
  const statuses = await page.$$eval('[data-swap][data-status=running] [data-stage-slug]', (stages) => stages.length);
  expect(statuses === 15, `${statuses} stages are shown`);
  await until(page, () => document.querySelector('[data-swap][data-status=running] [data-stage-slug=replay][data-stage-status=running] [role=progressbar]'), null, 'the progress of the replay');
  await page.waitForSelector(`article[data-policy-kind=${KIND}][data-generation="${generation + 1}"][data-version="backoff@3.0.0"]`);
  await page.locator('[role=status]', { hasText: 'has gone through all stages' }).first().waitFor();
  await until(page, () => document.querySelector('[data-offer] input[name=offer-reason]') === null, null, 'the form to be empty again');
});

await checks.check('a swap that fails says where and how to fix it, and what served goes on', async () => {
  const offer = page.locator('[data-offer]');
  const generation = mock.story.policies.find((one) => one.kind === KIND).generation;
  await offer.locator('input[type=file]').setInputFiles(scriptFile('3.0.1', 'let x = ctx.backof_ms;'));
  await offer.locator('input[name=offer-reason]').fill('browser test');
  await offer.getByRole('button', { name: 'Activate', exact: true }).click();
  await page.locator('[role=status]', { hasText: 'was refused' }).first().waitFor();
  const problem = await page.locator('[data-swap]').first().locator('[data-swap-problem]').innerText();
  for (const part of ['retry.rhai:2:13', 'PM2104', 'To fix it', 'goes on serving']) expect(problem.includes(part), `no "${part}" in: ${problem}`);
  expect((await offer.locator('input[name=offer-reason]').inputValue()) === 'browser test', 'what was typed is gone');
  expect(mock.story.policies.find((one) => one.kind === KIND).generation === generation, 'something was activated');
});

await checks.check('settings are a form; a wrong value is said, other ones make another version', async () => {
  await page.goto(`${home}#/policies/${KIND}`);
  const form = page.locator('[data-settings]');
  const generation = Number(await page.getAttribute('[data-policy-page]', 'data-generation'));
  await form.locator('input[name=setting-base_s]').fill('0');
  await form.locator('[role=alert]', { hasText: 'At least 0.1' }).waitFor();
  const button = form.getByRole('button', { name: 'Activate with these settings' });
  expect(await button.isDisabled(), 'a wrong value can be activated');
  await form.locator('input[name=setting-base_s]').fill('4');
  await form.locator('input[name=setting-once_more]').check();
  await button.click();
  expect((await page.locator('dialog[open] input[name=reason]').inputValue()).includes('base_s 2 → 4'), 'the reason does not say what changes');
  await page.locator('dialog[open] select[name=confirm]').selectOption('600000');
  await answerDialog(page, 'slower', 'Activate');
  await page.waitForSelector(`[data-policy-page][data-generation="${generation + 1}"]`);
  await page.waitForSelector('[data-unconfirmed]');
  await until(page, () => document.querySelector('[data-settings] input[name=setting-base_s]')?.value === '4', null, 'the new settings');
});

await checks.check('taken back, and an older version activated again from the history', async () => {
  const generation = Number(await page.getAttribute('[data-policy-page]', 'data-generation'));
  await page.locator('[data-unconfirmed]').getByRole('button', { name: 'Take back' }).click();
  await answerDialog(page, 'too slow', 'Roll back');
  await page.waitForSelector(`[data-policy-page][data-generation="${generation + 1}"]`);
  await page.locator('[data-history]').getByRole('button', { name: 'Activate again' }).first().click();
  await answerDialog(page, 'the old one was better', 'Activate');
  await page.waitForSelector(`[data-policy-page][data-generation="${generation + 2}"]`);
});

await checks.check('a pin asks why, refuses others with the cure, and is taken off', async () => {
  const pinned = await openPage(browser, home, { allow: [/409/] });
  try {
    await pinned.page.goto(`${home}#/policies/${KIND}`);
    await pinned.page.getByRole('button', { name: 'Pin', exact: true }).click();
    await answerDialog(pinned.page, 'audit', 'Pin');
    await pinned.page.getByRole('button', { name: 'Unpin', exact: true }).waitFor();
    await pinned.page.locator('[data-history]').getByRole('button', { name: 'Activate again' }).first().click();
    await answerDialog(pinned.page, 'try', 'Activate');
    await pinned.page.locator('[role=status]', { hasText: 'policy unpin retry' }).first().waitFor();
    await pinned.page.getByRole('button', { name: 'Unpin', exact: true }).click();
    await answerDialog(pinned.page, 'audit is over', 'Unpin');
    await pinned.page.getByRole('button', { name: 'Pin', exact: true }).waitFor();
    expect(pinned.troubles.length === 0, () => pinned.troubles.join('\n'));
  } finally {
    await pinned.close();
  }
});

await checks.check('canary, shadow and quarantine: promoted, stopped, released', async () => {
  await page.goto(`${home}#/policies/source-selection`);
  await page.locator('[data-canary]').getByRole('button', { name: 'Promote' }).click();
  await answerDialog(page, 'well behaved', 'Promote');
  await page.waitForSelector('[data-policy-page=source-selection][data-version="fair-share@1.1.0"]');
  await page.waitForSelector('[data-canary=""]');
  await page.goto(`${home}#/policies/promotion-gate`);
  await page.waitForSelector('[data-shadows="2"]');
  await page.locator('[data-shadow] summary').first().click();
  await page.locator('[data-shadow] li a').first().waitFor();
  for (const left of [1, 0]) {
    await page.locator('[data-shadow]').first().getByRole('button', { name: 'Stop' }).click();
    await page.waitForSelector(`[data-shadows="${left}"]`);
  }
  await page.goto(`${home}#/policies/curriculum`);
  await page.locator('[data-quarantined]').getByRole('button', { name: /Release/ }).click();
  await until(page, () => document.querySelector('[data-breaker]') && document.querySelector('[data-quarantined]') === null, null, 'the input to be released');
  await page.locator('[data-tripped]').getByText(/out of service for/).waitFor();
});

// The editor, in a scene of its own.
const desk = await startMock({ port: 0, tickMs: 100 });
const writer = await openPage(browser, desk.url, { allow: [ENDED] });
// Nothing is asked about recorded decisions before the host was asked whether it fits.
const asked = new Set();
const unchecked = [];
writer.page.on('request', (request) => {
  if (request.url().endsWith('/policies/check')) asked.add(request.postData());
  if (!request.url().endsWith('/dry-run')) return;
  const policy = JSON.stringify(request.postDataJSON().policy);
  if (policy !== undefined && !asked.has(policy)) unchecked.push(policy.slice(-80));
});
const script = writer.page.locator('[data-code-editor] .cm-content');
const shownText = () => writer.page.evaluate(() => document.querySelector('[data-code-editor]').shadowRoot.querySelector('.cm-content').innerText);
const checkIs = (what) => writer.page.waitForSelector(`[data-editor-page][data-check=${what}]`);
const resultOf = (wanted) => until(writer.page, (wanted) => { const result = document.querySelector('[data-dry-run][data-running=false][data-old=false] [data-dry-run-result]'); return result && (wanted === 'same') === (result.dataset.changed === '0') && { ...result.dataset }; }, wanted, `a dry run that is ${wanted}`);
/** Types at the end of the line that holds `after`. */
const typeAfter = async (after, text) => {
  await script.locator('.cm-line', { hasText: after }).first().click();
  await writer.page.keyboard.press('End');
  await writer.page.keyboard.type(text);
};

await checks.check('the editor opens the script that serves, checks it and asks recorded decisions', async () => {
  await writer.page.goto(`${desk.url}/#/policies/${KIND}`);
  await writer.page.getByRole('link', { name: 'Edit the script' }).click();
  await writer.page.waitForSelector('[data-code-editor][data-ready=true]');
  expect((await shownText()).includes('fn decide(ctx)'), 'the script is not there');
  await checkIs('ok');
  const result = await resultOf('same');
  expect(Number(result.replayed) > 0, 'nothing was replayed');
  const styled = await script.locator('.cm-line', { hasText: 'fn decide' }).locator('span').first().evaluate((word) => getComputedStyle(word).fontWeight);
  expect(Number(styled) >= 600, `a keyword has weight ${styled}: the styles are missing`);
  expect((await writer.page.locator('[data-settings] input').count()) === 3, 'the settings of describe() are not a form');
});

await checks.check('a mistake is marked where it is, told with its cure, and stops the dry run', async () => {
  await typeAfter('let wait', ' let x = ctx.backof_ms;');
  await checkIs('refused');
  const told = await writer.page.locator('[data-diagnostics]').innerText();
  for (const part of ['line 19, column', 'backof_ms', 'PM2104', 'To fix it']) expect(told.includes(part), `no "${part}" in: ${told}`);
  expect((await writer.page.locator('[data-code-editor] .cm-problem').innerText()) === 'backof_ms', 'the word is not underlined');
  await writer.page.locator('[data-code-editor] .cm-problem-mark').waitFor();
  expect(await writer.page.getByRole('button', { name: 'Activate', exact: true }).isDisabled(), 'what does not fit can be activated');
  await writer.page.waitForSelector('[data-dry-run][data-old=true]');
  await writer.page.locator('[data-diagnostics] .place').click();
  await screenshot(writer.page, 'mock-editor-refused-desktop-light');
});

await checks.check('names are offered as one types', async () => {
  await writer.page.keyboard.press('ControlOrMeta+z');
  await checkIs('ok');
  await typeAfter('let wait', ' let y = ctx.bud');
  const offered = writer.page.locator('[data-code-editor] .cm-tooltip-autocomplete');
  await offered.waitFor();
  await screenshot(writer.page, 'mock-editor-offers-desktop-light');
  await writer.page.keyboard.press('Enter');
  await until(writer.page, () => document.querySelector('[data-code-editor]').shadowRoot.querySelector('.cm-content').innerText.includes('ctx.budget'), null, 'the name to be taken');
  await writer.page.keyboard.type(';');
});

await checks.check('a valid edit is dry-run by itself: classes, groups, the first divergence, cases side by side', async () => {
  const result = await resultOf('changed');
  expect(Number(result.changed) > 0, 'nothing changed');
  await writer.page.locator('[data-first-divergence]').getByText('no forecast').waitFor();
  await writer.page.waitForSelector('[data-groups=host]');
  await writer.page.waitForSelector('[data-cost]');
  await writer.page.locator('[data-class-chip=retries_later]').click();
  const classes = await writer.page.$$eval('.cases [data-case]', (cases) => [...new Set(cases.map((one) => one.dataset.class))]);
  expect(classes.join() === 'retries_later', `cases of ${classes}`);
  const link = await writer.page.locator('.cases [data-case] a').first().getAttribute('href');
  expect(/^#\/decisions\/[0-9]+$/.test(link), `a case leads to ${link}`);
});

await checks.check('a newer edit ends the older dry run, and one can be cancelled', async () => {
  desk.story.desk.stepMs = 2_000;
  const before = desk.ended();
  await typeAfter('let wait', ' // a');
  await writer.page.waitForSelector('[data-dry-run][data-running=true] [role=progressbar]');
  await writer.page.keyboard.type('b');
  await writer.page.waitForSelector('[data-dry-run][data-running=false]');
  desk.story.desk.stepMs = 20;
  const began = Date.now();
  while (desk.ended() === before) expect(Date.now() - began < 20_000, 'the host went on with what nobody waits for') || (await new Promise((resolve) => setTimeout(resolve, 50)));
  await resultOf('changed');
  desk.story.desk.stepMs = 2_000;
  await script.focus();
  await writer.page.keyboard.press('ControlOrMeta+Enter');
  await writer.page.locator('[data-dry-run][data-running=true]').getByRole('button', { name: 'Cancel' }).click();
  await writer.page.locator('[data-dry-run]').getByText('Cancelled').waitFor();
  desk.story.desk.stepMs = 20;
  await script.focus();
  await writer.page.keyboard.press('ControlOrMeta+Enter');
  await writer.page.waitForSelector('[data-dry-run][data-running=true]');
  await resultOf('changed');
});

await checks.check('each text is checked before decisions are asked about it', async () => {
  expect(asked.size > 2, `only ${asked.size} texts were checked`);
  expect(unchecked.length === 0, () => `asked about unchecked texts:\n${unchecked.join('\n')}`);
});

await checks.check('broken budgets are said in red, and a costly text shows its cost', async () => {
  await typeAfter('let wait', ' slow_down; throw "x";');
  const broken = writer.page.locator('[data-broken]');
  await broken.getByText('new errors where').waitFor();
  await writer.page.locator('[data-cost] .worse').first().waitFor();
  await screenshot(writer.page, 'mock-editor-broken-desktop-light');
  await writer.page.keyboard.press('ControlOrMeta+z');
  await until(writer.page, () => document.querySelector('[data-broken]') === null, null, 'the budgets to be whole again');
});

await checks.check('what is typed survives a reload, and is not lost to another text without a word', async () => {
  const before = await shownText();
  await writer.page.waitForSelector('[data-editor-page][data-dirty=true]');
  await writer.page.reload();
  await writer.page.waitForSelector('[data-code-editor][data-ready=true]');
  expect((await shownText()) === before, 'the text is another one after the reload');
  await writer.page.getByRole('button', { name: 'First draft' }).click();
  await writer.page.locator('[data-unsaved]').getByRole('button', { name: 'Go on with it' }).click();
  expect((await shownText()) === before, 'the text was lost');
  await until(writer.page, () => document.querySelector('[data-unsaved]') === null, null, 'the question to go');
});

await checks.check('a setting of the text is sent with it', async () => {
  await writer.page.locator('input[name=setting-base_s]').fill('0');
  await writer.page.locator('[data-settings] [role=alert]', { hasText: 'At least 0.1' }).waitFor();
  const sent = writer.page.waitForRequest((request) => request.url().endsWith('/policies/check') && request.postDataJSON().settings?.base_s === 4);
  await writer.page.locator('input[name=setting-base_s]').fill('4');
  await sent;
  await checkIs('ok');
});

await checks.check('activated with a reason, through its stages, and rolled back', async () => {
  const generation = desk.story.policies.find((one) => one.kind === KIND).generation;
  await writer.page.getByRole('button', { name: 'Activate', exact: true }).click();
  await answerDialog(writer.page, 'waits longer', 'Activate');
  await writer.page.waitForSelector('[data-editor-swap=running] [data-stage-slug][data-stage-status=running]');
  await writer.page.waitForSelector('[data-editor-swap=active]');
  await until(writer.page, () => document.querySelector('[data-editor-page]').dataset.dirty === 'false', null, 'nothing to be unsaved');
  expect(desk.story.policies.find((one) => one.kind === KIND).generation === generation + 1, 'it did not become active');
  expect(/edit\?from=[0-9a-f]+$/.test(writer.page.url()), `the address is ${writer.page.url()}`);
  await writer.page.getByRole('button', { name: /^Roll back/ }).click();
  await answerDialog(writer.page, 'on second thought', 'Roll back');
  const began = Date.now();
  while (desk.story.policies.find((one) => one.kind === KIND).generation !== generation + 2) expect(Date.now() - began < 20_000, 'it was not rolled back') || (await new Promise((resolve) => setTimeout(resolve, 50)));
  await writer.page.waitForSelector('[data-editor-page][data-check=ok]');
});

await checks.check('a file that is brought in can be edited, and a kind without a script begins with a first draft', async () => {
  await writer.page.goto(`${desk.url}/#/policies`);
  await writer.page.locator('[data-offer] input[type=file]').setInputFiles(scriptFile('7.0.0', 'fn decide(ctx) { #{ verdict: "give_up" } }'));
  await writer.page.locator('[data-offer]').getByRole('button', { name: 'Dry run' }).click();
  await writer.page.waitForSelector('[data-offer] [data-dry-run-result]');
  await writer.page.locator('[data-offer]').getByRole('button', { name: 'Edit' }).click();
  await writer.page.waitForSelector('[data-code-editor][data-ready=true]');
  expect((await shownText()).includes('7.0.0'), 'the file is not in the editor');
  await writer.page.goto(`${desk.url}/#/policies/source-selection/edit`);
  await until(writer.page, () => document.querySelector('[data-editor-page=source-selection] [data-code-editor]')?.dataset.ready || document.querySelector('[data-editor-page=source-selection]') && document.querySelector('[data-code-editor][data-ready=true]'), null, 'the other editor');
  expect((await shownText()).includes('name: "my-source-selection"'), 'there is no first draft');
  await checkIs('ok');
});

await checks.check('the keys of the editor stay in it, and no other shortcut takes what is typed', async () => {
  await script.click();
  await writer.page.keyboard.press('ControlOrMeta+Home');
  await writer.page.keyboard.type('// go? t/');
  expect(writer.page.url().includes('source-selection/edit'), `typing led to ${writer.page.url()}`);
  expect((await writer.page.locator('dialog[open]').count()) === 0, 'typing opened a dialog');
  await expectNames(writer.page);
});

await checks.check('a decision is verified, taken along as a case, and asked what would flip it', async () => {
  const scoredRow = desk.story.decisions.find((one) => one.kind === 'source-selection' && one.link === 'active');
  await writer.page.goto(`${desk.url}/#/decisions/${scoredRow.id}`);
  const proof = writer.page.locator('[data-proof]');
  await proof.getByRole('button', { name: 'Verify' }).click();
  await writer.page.waitForSelector('[data-verified=identical]');
  await proof.getByRole('button', { name: 'What would flip it' }).click();
  await proof.getByText('candidates[1].age_s').waitFor();
  await proof.getByText('the questions ran out').waitFor();
  await proof.getByRole('button', { name: 'Make a test case' }).click();
  const downloaded = writer.page.waitForEvent('download');
  await proof.getByRole('button', { name: /^Download/ }).click();
  const file = await downloaded;
  expect(file.suggestedFilename() === `decision-${scoredRow.id}.json`, `the file is ${file.suggestedFilename()}`);
  const [made] = JSON.parse(readFileSync(await file.path(), 'utf8'));
  expect(made.name.startsWith(`decision ${scoredRow.id}`) && made.expect.reasons.length > 0, 'the file holds no case');
  const fallback = desk.story.decisions.find((one) => one.link === 'built_in');
  await writer.page.goto(`${desk.url}/#/decisions/${fallback.id}`);
  await proof.getByRole('button', { name: 'What would flip it' }).click();
  await proof.getByText('Nothing can be told').waitFor();
});

await checks.check('a version is dry-run and its kind verified, and its cost is told by size', async () => {
  const version = desk.story.desk.versions.find((one) => one.kind === 'source-selection' && one.name === 'fair-share');
  await writer.page.goto(`${desk.url}/#/policies/versions/${version.digest}`);
  await writer.page.locator('[data-dry-run]').getByRole('button', { name: 'Dry run' }).click();
  await writer.page.waitForSelector('[data-dry-run-result]');
  await writer.page.locator('[data-verify]').getByRole('button', { name: 'Verify' }).click();
  await writer.page.waitForSelector('[data-verify] [data-verified]');
  const value = writer.page.locator('[data-value]');
  await value.getByRole('button', { name: 'Estimate' }).click();
  await value.locator('tbody tr').nth(4).waitFor();
  expect((await value.innerText()).includes('69 % to 85 %'), 'the doubly robust value has no interval');
  await screenshot(writer.page, 'mock-version-value-desktop-light');
  await writer.page.locator('[data-cost-by-size]').getByRole('button', { name: /latest/ }).click();
  await writer.page.waitForSelector('[data-cost-by-size] tbody tr');
});

await checks.check('the editor and the proofs: no console error, no failed request, no other origin', async () => {
  expect(writer.troubles.length === 0, () => writer.troubles.join('\n'));
});
await writer.close();
desk.close();

await checks.check('two versions are compared, and code can be read', async () => {
  await page.goto(`${home}#/policies/${KIND}`);
  const boxes = page.locator('[data-version-row] input');
  await boxes.nth(0).check();
  await boxes.nth(1).check();
  await page.getByRole('link', { name: 'Compare the two' }).click();
  await page.waitForSelector('[data-diff-page]');
  await page.locator('tr.added').first().waitFor();
  await page.goBack();
  await page.locator('[data-version-row] th a').first().click();
  await page.waitForSelector('[data-version-page] ~ section [role=region]');
});

await checks.check('a version or a kind that is not there says so', async () => {
  const lost = await openPage(browser, home, { allow: [/404/] });
  try {
    await lost.page.goto(`${home}#/policies/versions/00000000`);
    await lost.page.locator('[role=alert]', { hasText: 'policy versions' }).waitFor();
    await lost.page.goto(`${home}#/policies/no-such-kind`);
    await lost.page.getByText('There is no policy kind no-such-kind').waitFor();
    expect(lost.troubles.length === 0, () => lost.troubles.join('\n'));
  } finally {
    await lost.close();
  }
});

await checks.check('g p opens the policies from anywhere', async () => {
  await page.goto(`${home}#/jobs`);
  await page.locator('h1', { hasText: 'Jobs' }).click();
  await page.keyboard.press('g');
  await page.keyboard.press('p');
  await page.locator('h1', { hasText: 'Policies' }).waitFor();
  await expectNames(page);
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
// A story of its own, in which one of each thing that can be under way with policies is under way.
const still = await startMock({ port: 0, tickMs: 1_000 });
const kept = still.story.desk.versions.filter((one) => one.kind === 'retry').map((one) => one.digest);
const places = { overview: '#/', jobs: '#/jobs', job: `#/jobs/${failed}`, decisions: '#/decisions', decision: `#/decisions/${scored}` };
const policyPlaces = {
  policies: '#/policies',
  'policy-retry': '#/policies/retry',
  'policy-source-selection': '#/policies/source-selection',
  'policy-promotion-gate': '#/policies/promotion-gate',
  'policy-curriculum': '#/policies/curriculum',
  version: `#/policies/versions/${kept[0]}`,
  diff: `#/policies/diff?a=${kept.at(-1)}&b=${kept[0]}`,
  editor: '#/policies/retry/edit',
};
const SIGNS = { overview: '[data-feed]', jobs: '[data-job]', job: '[data-job-page]', decisions: '[data-decision]', decision: '.tree', policies: '[data-version-row]', version: '[data-version-page] ~ section [role=region]', diff: 'tr.added', editor: '[data-editor-page][data-check=ok] ~ * [data-dry-run-result]' };
for (const size of Object.keys(SIZES)) {
  for (const theme of THEMES) {
    for (const [what, from, hashes] of [['every page', home, places], ['every page of policies', `${still.url}/`, policyPlaces]]) {
      await checks.check(`${size}, ${theme}: on ${what} nothing is cut off and all can be read`, async () => {
        const opened = await openPage(browser, from, { size, theme, allow: [ENDED] });
        try {
          for (const [name, hash] of Object.entries(hashes)) {
            await opened.page.goto(from + hash);
            await live(opened.page);
            await opened.page.waitForSelector(SIGNS[name] ?? '[data-history] li');
            await screenshot(opened.page, `mock-${name}-${size}-${theme}`);
            await expectNoSidewaysScroll(opened.page);
            await expectContrast(opened.page);
            if (size === 'desktop') await expectAccessible(opened.page);
          }
          expect(opened.troubles.length === 0, () => opened.troubles.join('\n'));
        } finally {
          await opened.close();
        }
      });
    }
  }
}

await queueChecks(checks, browser);
await controlChecks(checks, browser);
await learningChecks(checks, browser);

await browser.close();
mock.close();
still.close();
checks.end();
