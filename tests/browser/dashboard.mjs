/**
 * The dashboard against a host that really runs: POINTSMAN_URL. It waits for states, never for times.
 *
 * POINTSMAN_SWAP_CMD: a shell command that makes another policy version active (without it that check is left out and
 * says so). POINTSMAN_SWAP_KIND: the kind it swaps (default: whichever changes). POINTSMAN_WAIT_MS: longest wait.
 * Screenshots go to tests/browser/shots/.
 */

import { spawn } from 'node:child_process';
import { Checks, ENDED, expect, expectAccessible, expectContrast, expectNames, expectNoSidewaysScroll, launch, live, openPage, screenshot, SIZES, THEMES, until, WAIT_MS } from './harness.mjs';
import { hostLearningChecks } from './learning.mjs';
import { hostQueueChecks } from './queue.mjs';

const url = process.env.POINTSMAN_URL;
if (!url) {
  console.error('POINTSMAN_URL is not set: the address of a running host, such as http://127.0.0.1:8420');
  process.exit(2);
}
const home = new URL('/', url).href;

const checks = new Checks();
const browser = await launch();
const { page, troubles, close } = await openPage(browser, home, { allow: [ENDED, /422/] });
// The editor warns before a text is lost; here it may be.
page.on('dialog', (dialog) => dialog.accept());

await checks.check('the page opens and the live feed is there', async () => {
  await page.goto(home);
  await live(page);
  await page.evaluate(() => (window.sameLoad = true));
});

await checks.check('it shows four stages, four policies and what happens next', async () => {
  await until(page, () => document.querySelectorAll('[data-stage]').length === 4, null, 'four stages');
  await until(page, () => document.querySelectorAll('[data-policy-kind]').length === 4, null, 'four policies');
  const kinds = await page.$$eval('[data-policy-kind]', (cards) => cards.map((card) => card.dataset.policyKind));
  expect(kinds.join() === 'source-selection,retry,promotion-gate,curriculum', `kinds are ${kinds}`);
  expect((await page.textContent('.next'))?.trim(), 'what happens next is empty');
});

await checks.check('training is running, or starts at a press', async () => {
  const slug = await page.getAttribute('[data-training]', 'data-training');
  if (slug !== 'running') await page.getByRole('button', { name: 'Start training' }).click();
  await page.waitForSelector('[data-training=running]');
});

const newestDecision = () => page.evaluate(() => Math.max(0, ...[...document.querySelectorAll('[data-feed] [data-decision]')].map((row) => Number(row.dataset.decision))));

const title = `browser test ${Date.now()}`;
await checks.check('a source is queued through the form', async () => {
  await page.fill('input[name=title]', title);
  await page.getByRole('button', { name: 'Queue it' }).click();
  await page.getByText(`Queued “${title}”`).waitFor();
});

await checks.check('a decision arrives in the feed', async () => {
  const before = await newestDecision();
  await until(page, (before) => [...document.querySelectorAll('[data-feed] [data-decision]')].some((row) => Number(row.dataset.decision) > before), before, `a decision after ${before}`);
});

await checks.check('the loss curve of one run grows, and its hidden table with it', async () => {
  const first = await until(
    page,
    () => {
      const figure = document.querySelector('[data-curve] figure[data-points]');
      return figure && Number(figure.dataset.points) > 0 && figure.closest('section').innerText.includes('running job')
        ? { run: figure.dataset.run, points: Number(figure.dataset.points), table: figure.querySelector('table').innerText }
        : null;
    },
    null,
    'a running job with a point',
  );
  await until(
    page,
    (first) => {
      const figure = document.querySelector('[data-curve] figure[data-points]');
      if (!figure) return false;
      // A short run may be over by now; then the next one shows the same.
      if (figure.dataset.run !== first.run) return Number(figure.dataset.points) > 1;
      return Number(figure.dataset.points) > first.points && figure.querySelector('table').innerText !== first.table;
    },
    first,
    `more points than ${first.points} of run ${first.run}`,
  );
});

const generations = () => page.$$eval('[data-policy-kind]', (cards) => Object.fromEntries(cards.map((card) => [card.dataset.policyKind, { generation: Number(card.dataset.generation), version: card.dataset.version }])));
const changed = (before, kind) =>
  until(
    page,
    ([before, kind]) => [...document.querySelectorAll('[data-policy-kind]')].map((card) => card.dataset).find((card) => (!kind || card.policyKind === kind) && Number(card.generation) > before[card.policyKind].generation)?.policyKind,
    [before, kind],
    'another generation on a policy card',
  );

let swapped = null;
if (process.env.POINTSMAN_SWAP_CMD) {
  await checks.check('a policy is swapped by a command, and its card shows it without a reload', async () => {
    const before = await generations();
    const command = run(process.env.POINTSMAN_SWAP_CMD);
    swapped = await changed(before, process.env.POINTSMAN_SWAP_KIND ?? '');
    await command;
    const after = await generations();
    console.log(`      ${swapped}: ${before[swapped].version} generation ${before[swapped].generation} -> ${after[swapped].version} generation ${after[swapped].generation}`);
    expect(await page.evaluate(() => window.sameLoad === true), 'the page was loaded again');
  });
} else console.log('left  no POINTSMAN_SWAP_CMD: the swap by a command is not tested');

if (swapped) {
  await checks.check('a roll-back asks for a reason and brings the version before back', async () => {
    const before = await generations();
    await page.locator(`[data-policy-kind=${swapped}]`).getByRole('button', { name: /Roll back/ }).click();
    await page.locator('dialog[open] input[name=reason]').fill('browser test');
    await page.locator('dialog[open]').getByRole('button', { name: 'Roll back' }).click();
    await changed(before, swapped);
  });
}

/** A script of the host's own record with another version in it: every host can be given that, whatever serves. */
async function nextScript() {
  const { versions } = await (await fetch(new URL('/api/v1/policies/versions', url))).json();
  const scripts = versions.filter((row) => row.engine === 'rhai').sort((a, b) => Number(b.active) - Number(a.active));
  for (const row of scripts) {
    const text = await (await fetch(new URL(`/api/v1/policies/versions/${row.digest}/code`, url))).text();
    const version = `${row.version.split('-')[0]}-browser.${Date.now() % 1_000_000}`;
    const changed = text.replace(/(version:\s*")[^"]+(")/, `$1${version}$2`);
    if (changed !== text) return { kind: row.kind, digest: row.digest, name: `${row.name}@${version}`, file: { name: `${row.name}.rhai`, mimeType: 'text/plain', buffer: Buffer.from(changed) } };
  }
  return null;
}

let brought = null;
await checks.check('the policies page opens with the four kinds, the versions and the guards', async () => {
  await page.keyboard.press('g');
  await page.keyboard.press('p');
  await page.waitForSelector('[data-offer]');
  await until(page, () => document.querySelectorAll('article[data-policy-kind]').length === 4, null, 'four kinds');
  await page.waitForSelector('[data-version-row]');
  await page.locator('[data-guards]').getByText('guard_host_loss_max', { exact: true }).waitFor();
  await screenshot(page, 'host-policies-desktop-light');
});

await checks.check('a script is brought in by upload: its stages show, and it becomes active', async () => {
  const next = await nextScript();
  expect(next !== null, 'no script is on record: activate one of policies/*.rhai first');
  const before = await generations();
  const offer = page.locator('[data-offer]');
  await offer.locator('input[type=file]').setInputFiles(next.file);
  await offer.getByRole('button', { name: 'Check only' }).click();
  await offer.locator('[data-check=ok]', { hasText: next.name }).waitFor();
  expect((await generations())[next.kind].generation === before[next.kind].generation, 'checking it activated it');
  await offer.locator('input[name=offer-reason]').fill('browser test');
  await offer.getByRole('button', { name: 'Activate', exact: true }).click();
  await page.waitForSelector(`article[data-policy-kind=${next.kind}][data-version="${next.name}"]`);
  const swap = page.locator('[data-swap]').filter({ hasText: next.name }).first();
  await swap.and(page.locator('[data-status=active]')).waitFor();
  const stages = swap.getByRole('button', { name: /Stages/ });
  if ((await stages.getAttribute('aria-expanded')) === 'false') await stages.click();
  // Scripts have no stage of compiling to pass.
  for (const stage of ['parse', 'self_test', 'activate']) await swap.locator(`[data-stage-slug=${stage}][data-stage-status=passed]`).waitFor();
  await screenshot(page, 'host-swap-desktop-light');
  brought = { ...next, before: before[next.kind] };
});

if (brought) {
  await checks.check('its page has history and settings; a roll-back there brings the version before back', async () => {
    await page.evaluate((kind) => (location.hash = `#/policies/${kind}`), brought.kind);
    await page.waitForSelector(`[data-policy-page=${brought.kind}][data-version="${brought.name}"]`);
    await page.locator('[data-history]').getByText('browser test').first().waitFor();
    await page.waitForSelector('[data-settings]');
    await screenshot(page, 'host-policy-desktop-light');
    await page.locator('[data-policy-page]').getByRole('button', { name: /Roll back/ }).click();
    await page.locator('dialog[open] input[name=reason]').fill('browser test is over');
    await page.locator('dialog[open]').getByRole('button', { name: 'Roll back' }).click();
    await page.waitForSelector(`[data-policy-page=${brought.kind}][data-version="${brought.before.version}"]`);
  });
}

if (brought) {
  const script = page.locator('[data-code-editor] .cm-content');
  const checkIs = (what) => page.waitForSelector(`[data-editor-page][data-check=${what}]`);
  const dryRunOver = () => until(page, () => { const result = document.querySelector('[data-dry-run][data-running=false][data-old=false] [data-dry-run-result]'); return result && { ...result.dataset }; }, null, 'a dry run of the text that is there');

  await checks.check('the editor opens a script, checks it, and asks recorded decisions', async () => {
    await page.evaluate(([kind, digest]) => (location.hash = `#/policies/${kind}/edit?from=${digest}`), [brought.kind, brought.digest]);
    await page.waitForSelector('[data-code-editor][data-ready=true]');
    await checkIs('ok');
    const { replayed, changed } = await dryRunOver();
    console.log(`      ${changed} of ${replayed} decisions would change`);
    await screenshot(page, 'host-editor-desktop-light');
  });

  await checks.check('a mistake is marked where it is, with its cure, and mended again', async () => {
    await script.click();
    await page.keyboard.press('ControlOrMeta+End');
    await page.keyboard.type('}');
    await checkIs('refused');
    await page.locator('[data-diagnostics] .place').waitFor();
    await page.locator('[data-code-editor] .cm-problem-mark').waitFor();
    await screenshot(page, 'host-editor-refused-desktop-light');
    await page.locator('input[name=script]').setInputFiles({ ...brought.file, buffer: Buffer.from(`${brought.file.buffer}// written in the editor\n`) });
    await page.locator('[data-unsaved]').getByRole('button', { name: /^Open/ }).click();
    await checkIs('ok');
    expect((await page.locator('[data-code-editor] .cm-problem-mark').count()) === 0, 'the mark of the old text is still there');
  });

  await checks.check('an edit is on the page as a difference over the latest 10,000 decisions', async () => {
    await page.locator('[data-dry-run] select').selectOption('10000');
    await dryRunOver();
    await script.click();
    await page.keyboard.press('ControlOrMeta+End');
    const began = Date.now();
    await page.keyboard.type('// later');
    await page.waitForSelector('[data-dry-run][data-old=true]');
    const { replayed } = await dryRunOver();
    console.log(`      last key to the difference over ${replayed} decisions: ${Date.now() - began} ms, pause and check in it`);
  });

  await checks.check('what the editor holds is activated with a reason, and rolled back from there', async () => {
    await page.getByRole('button', { name: 'Activate', exact: true }).click();
    await page.locator('dialog[open] input[name=reason]').fill('browser test');
    await page.locator('dialog[open]').getByRole('button', { name: 'Activate', exact: true }).click();
    await page.waitForSelector('[data-editor-swap=active]');
    await page.waitForSelector('[data-editor-page][data-dirty=false]');
    await page.getByRole('button', { name: `Roll back to ${brought.before.version}` }).click();
    await page.locator('dialog[open] input[name=reason]').fill('browser test is over');
    await page.locator('dialog[open]').getByRole('button', { name: 'Roll back' }).click();
    await page.locator('[data-editor-page] a', { hasText: brought.before.version }).waitFor();
  });
}

await checks.check('a decision is verified, asked what would flip it, and made a test case', async () => {
  const { decisions } = await (await fetch(new URL('/api/v1/decisions?limit=200', url))).json();
  const one = decisions.find((row) => row.link === 'active') ?? decisions[0];
  await page.evaluate((id) => (location.hash = `#/decisions/${id}`), one.id);
  await page.waitForSelector(`[data-decision-page="${one.id}"]`);
  const proof = page.locator('[data-proof]');
  await proof.getByRole('button', { name: 'Verify' }).click();
  const result = await (await page.waitForSelector('[data-verified]')).getAttribute('data-verified');
  expect(result === 'identical', `decision ${one.id} is ${result}`);
  await proof.getByRole('button', { name: 'What would flip it' }).click();
  await page.waitForSelector('[data-flips]');
  await proof.getByRole('button', { name: 'Make a test case' }).click();
  const made = JSON.parse(await proof.locator('pre').innerText());
  expect(made.length === 1 && made[0].expect !== undefined, 'the case expects nothing');
  await screenshot(page, 'host-proof-desktop-light');
});

await checks.check('back on the overview, still the same load of the page', async () => {
  await page.evaluate(() => (location.hash = '#/'));
  await page.waitForSelector('[data-feed] [data-decision] a');
  expect(await page.evaluate(() => window.sameLoad === true), 'the page was loaded again');
});

await checks.check('a decision opens with its reasons and its context, and back leads back', async () => {
  const row = page.locator('[data-feed] [data-decision] a').first();
  const id = /decisions\/([0-9]+)$/.exec(await row.getAttribute('href'))?.[1];
  // The feed moves on while a hand does: the address is what was chosen.
  await page.evaluate((id) => (location.hash = `#/decisions/${id}`), id);
  await page.waitForSelector(`[data-decision-page="${id}"]`);
  await page.locator('details summary', { hasText: 'context' }).first().waitFor();
  expect((await page.locator('.tree .leaf').count()) > 0, 'the context is empty');
  await screenshot(page, 'host-decision-desktop-light');
  await page.goBack();
  await page.waitForSelector('[data-feed]');
});

await checks.check('the list of jobs leads to a job with curve and log', async () => {
  await page.keyboard.press('g');
  await page.keyboard.press('j');
  await page.locator('tr[data-job] a').first().click();
  await page.waitForSelector('[data-job-page]');
  await page.locator('h2', { hasText: 'Log' }).waitFor();
  await page.evaluate(() => (location.hash = '#/'));
  await page.waitForSelector('[data-feed]');
});

await checks.check('the model in service answers and says which one it is', async () => {
  await page.waitForSelector('[data-active]');
  await page.fill('input[name=prompt]', 'It was a ');
  await page.getByRole('button', { name: 'Complete' }).click();
  const tag = await page.locator('[data-answered-by]').textContent();
  expect(/^m-[0-9]+$/.test(tag ?? ''), `answered by ${tag}`);
});

await checks.check('stop drains, start goes on, and both show', async () => {
  await page.getByRole('button', { name: 'Stop training' }).click();
  await page.waitForSelector('[data-training=draining], [data-training=stopped]');
  await page.getByRole('button', { name: 'Start training' }).click();
  await page.waitForSelector('[data-training=running]');
});

const settingsPage = async (on) => {
  await on.goto(`${home}#/settings`);
  await on.waitForSelector('[data-pending] ~ [data-presets]');
};
const answerWhy = async (on, button) => {
  await on.locator('dialog[open] input[name=reason]').fill('browser test');
  await on.locator('dialog[open]').getByRole('button', { name: button, exact: true }).click();
  await until(on, () => document.querySelector('dialog[open]') === null, null, 'the dialog to close');
};
const settingIs = (on, name, value) => on.waitForSelector(`[data-setting=${name}][data-live='${JSON.stringify(value)}']`);
const settingsNow = async () => (await fetch(new URL('/api/v1/settings', url))).json();

await checks.check('a setting is drafted, checked by the host, applied, and undone', async () => {
  const { retry_budget: before } = await settingsNow();
  await settingsPage(page);
  await page.locator('input[name=retry_budget]').fill('2.5');
  await until(page, () => document.querySelector('#problem-retry_budget')?.textContent, null, 'the host to refuse half an attempt');
  await page.locator('input[name=retry_budget]').fill(String(before + 1));
  await page.waitForSelector('[data-pending="1"][data-checked=true]');
  await screenshot(page, 'host-settings-draft-desktop-light');
  await page.getByRole('button', { name: 'Apply settings' }).click();
  await answerWhy(page, 'Apply settings');
  await settingIs(page, 'retry_budget', before + 1);
  expect((await settingsNow()).retry_budget === before + 1, 'the host has another value');
  await page.locator('[data-settings-change]').first().getByRole('button', { name: /^Undo change/ }).click();
  await answerWhy(page, 'Undo');
  await settingIs(page, 'retry_budget', before);
});

await checks.check('two tabs change settings: the slower one is told what the faster one did, and loses nothing', async () => {
  const { retry_budget: before, recent_host_window: window } = await settingsNow();
  const slow = await openPage(browser, home, { allow: [/412/] });
  try {
    const held = await (await fetch(new URL('/api/v1/settings/form', url))).text();
    let deaf = true;
    await slow.page.route('**/api/v1/settings/form', (route) => (deaf ? route.fulfill({ contentType: 'application/json', body: held }) : route.continue()));
    slow.page.on('response', (response) => response.status() === 412 && (deaf = false));
    await settingsPage(slow.page);
    await slow.page.locator('input[name=retry_budget]').fill(String(before + 2));
    await slow.page.waitForSelector('[data-pending="1"][data-checked=true]');
    await settingsPage(page);
    await page.locator('input[name=recent_host_window]').fill(String(window + 1));
    await page.waitForSelector('[data-pending="1"][data-checked=true]');
    await page.getByRole('button', { name: 'Apply settings' }).click();
    await answerWhy(page, 'Apply settings');
    await settingIs(page, 'recent_host_window', window + 1);
    await slow.page.getByRole('button', { name: 'Apply settings' }).click();
    await answerWhy(slow.page, 'Apply settings');
    await slow.page.locator('[data-conflict] li', { hasText: `${window} → ${window + 1}` }).waitFor();
    expect((await settingsNow()).retry_budget === before, 'the refused change was made');
    await slow.page.getByRole('button', { name: 'Put my draft upon theirs' }).click();
    await slow.page.waitForSelector('[data-pending="1"][data-checked=true]');
    await slow.page.getByRole('button', { name: 'Apply settings' }).click();
    await answerWhy(slow.page, 'Apply settings');
    await settingIs(slow.page, 'retry_budget', before + 2);
    expect((await settingsNow()).recent_host_window === window + 1, 'the faster change was undone');
    for (let n = 0; n < 2; n++) {
      await slow.page.locator('[data-settings-change]').nth(n * 2).getByRole('button', { name: /^Undo change/ }).click();
      await answerWhy(slow.page, 'Undo');
      if (n === 0) await settingIs(slow.page, 'retry_budget', before);
    }
    await settingIs(slow.page, 'recent_host_window', window);
    expect(slow.troubles.length === 0, () => slow.troubles.join('\n'));
  } finally {
    await slow.close();
  }
});

await checks.check('diagnostics tell of each part of the host, and of improvement since a baseline', async () => {
  await page.goto(`${home}#/diagnostics?since=0`);
  await page.waitForSelector('[data-health]');
  const parts = await page.$$eval('[data-part]', (all) => all.map((part) => part.dataset.part));
  expect(parts.join() === 'worker,scheduler,model_server,journal', `parts are ${parts}`);
  await until(page, () => /^\+[1-9]/.test(document.querySelector('[data-gain=decisions_gained]')?.textContent ?? ''), null, 'decisions gained since the journal’s beginning');
  await page.getByRole('button', { name: 'Last heartbeat' }).click();
  await page.locator('[data-fact="Heartbeat.at"] .help').waitFor();
  await expectAccessible(page);
  await screenshot(page, 'host-diagnostics-desktop-light');
});

await checks.check('the proof of promotion stands on this host’s own figures', async () => {
  await page.goto(`${home}#/promotion`);
  await page.waitForSelector('[data-promotion]');
  const proof = await (await fetch(new URL('/api/v1/promotion', url))).json();
  await page.locator('[data-role=standard]', { hasText: proof.roles[0].tag }).waitFor();
  await page.getByRole('button', { name: 'Dry run of a prune' }).click();
  await page.waitForSelector('[data-plan]');
  await page.getByRole('button', { name: 'Tell' }).click();
  await page.waitForSelector('[data-live-role]');
  await expectAccessible(page);
  await screenshot(page, 'host-promotion-desktop-light');
});
await hostQueueChecks(checks, page, home);
await hostLearningChecks(checks, page, home);

await checks.check('controls have names', () => expectNames(page));
await checks.check('no console error, no failed request, no other origin', async () => {
  expect(troubles.length === 0, () => troubles.join('\n'));
});
await close();

for (const size of Object.keys(SIZES)) {
  for (const theme of THEMES) {
    await checks.check(`${size}, ${theme}: nothing is cut off, all can be read`, async () => {
      const { page, troubles, close } = await openPage(browser, home, { size, theme });
      try {
        await page.goto(home);
        await live(page);
        await page.waitForSelector('[data-feed]');
        await until(page, () => Number(document.querySelector('figure[data-points]')?.dataset.points) > 1, null, 'a curve');
        await screenshot(page, `host-overview-${size}-${theme}`);
        await expectNoSidewaysScroll(page);
        await expectContrast(page);
        await page.goto(`${home}#/queue`);
        await until(page, () => document.querySelectorAll('[data-figure][data-known=true]').length === 5, null, 'five figures');
        await page.waitForSelector('[data-next]:not([data-next=unknown])');
        await screenshot(page, `host-queue-${size}-${theme}`);
        await expectNoSidewaysScroll(page);
        await expectContrast(page);
        for (const [name, hash] of [['policies', '#/policies'], ['policy', `#/policies/${brought?.kind ?? 'retry'}`]]) {
          await page.goto(home + hash);
          await page.waitForSelector('[data-version-row]');
          await screenshot(page, `host-${name}-${size}-${theme}`);
          await expectNoSidewaysScroll(page);
          await expectContrast(page);
        }
        expect(troubles.length === 0, () => troubles.join('\n'));
      } finally {
        await close();
      }
    });
  }
}

await browser.close();
checks.end();

function run(command) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, { shell: true, stdio: ['ignore', 'pipe', 'pipe'], timeout: WAIT_MS });
    let said = '';
    child.stdout.on('data', (text) => (said += text));
    child.stderr.on('data', (text) => (said += text));
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve(said) : reject(new Error(`the swap command ended with ${code}: ${said.slice(-800)}`))));
  });
}
