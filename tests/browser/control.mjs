/** Palette, settings, diagnostics and promotion on the page alone, against a mock host whose story moves slowly. */

import { expect, expectAccessible, expectContrast, expectNames, expectNoSidewaysScroll, live, openPage, screenshot, SIZES, THEMES, until } from './harness.mjs';
import { startMock } from '../../web/dev/mock.mjs';

const TICK_MS = 500;

export async function controlChecks(checks, browser) {
  const mock = await startMock({ port: 0, tickMs: TICK_MS });
  const home = mock.url;
  const tab = (allow = []) => openPage(browser, home, { allow, permissions: ['clipboard-read', 'clipboard-write'] });
  const { page, troubles, close } = await tab([/412/, /409/, /422/]);
  const answer = async (path) => (await fetch(home + path)).json();
  const go = async (hash, on = page) => {
    await on.goto(`${home}/${hash}`);
    await live(on);
  };
  const why = async (reason, button, on = page) => {
    await on.locator('dialog[open] input[name=reason]').fill(reason);
    await on.locator('dialog[open]').getByRole('button', { name: button, exact: true }).click();
    await until(on, () => document.querySelector('dialog[open]') === null, null, 'the dialog to close');
  };
  const setting = async (name) => (await answer('/api/v1/settings'))[name];
  const liveIs = (name, value, on = page) => on.waitForSelector(`[data-setting=${name}][data-live='${JSON.stringify(value)}']`);
  const pendingIs = (count, on = page) => on.waitForSelector(`[data-pending="${count}"]`);
  const checkedIs = (count, on = page) => on.waitForSelector(`[data-pending="${count}"][data-checked=true]`);

  // What all pages share.

  await checks.check('the navigation names every page, and says where one is', async () => {
    await go('#/settings');
    const links = await page.$$eval('nav[aria-label=Pages] a', (all) => all.map((link) => link.textContent));
    expect(links.join() === 'Overview,Queue,Campaigns,Jobs,Promotion,Learning,Decisions,Policies,Settings,Diagnostics', `links are ${links}`);
    expect((await page.locator('nav[aria-label=Pages] a[aria-current=page]').textContent()) === 'Settings', 'it does not say where one is');
  });

  await checks.check('on a phone the pages are in a menu that closes behind one', async () => {
    const phone = await openPage(browser, home, { size: 'phone' });
    try {
      await go('#/', phone.page);
      const menu = phone.page.getByRole('button', { name: 'Overview', exact: true });
      await menu.click();
      await phone.page.getByRole('link', { name: 'Diagnostics', exact: true }).click();
      await phone.page.locator('h1', { hasText: 'Diagnostics' }).waitFor();
      await until(phone.page, () => document.querySelector('nav[aria-label=Pages] button').getAttribute('aria-expanded') === 'false', null, 'the menu to close');
      await phone.page.getByRole('button', { name: 'Diagnostics', exact: true }).click();
      await phone.page.keyboard.press('Escape');
      await until(phone.page, () => document.querySelector('nav[aria-label=Pages] button').getAttribute('aria-expanded') === 'false', null, 'Escape to close the menu');
      expect(phone.troubles.length === 0, () => phone.troubles.join('\n'));
    } finally {
      await phone.close();
    }
  });

  const palette = page.locator('[data-palette]');
  await checks.check('the palette opens by key also in a field, finds pages loosely, and Enter goes there', async () => {
    await go('#/settings');
    await page.locator('input[name=settings-search]').focus();
    await page.keyboard.press('ControlOrMeta+k');
    await palette.waitFor();
    await expectNames(page);
    await page.keyboard.type('diagn');
    await page.waitForSelector('[data-item=page-diagnostics][aria-selected=true]');
    await screenshot(page, 'mock-palette-desktop-light');
    await page.keyboard.press('Enter');
    await page.locator('h1', { hasText: 'Diagnostics' }).waitFor();
    await palette.waitFor({ state: 'detached' });
  });

  await checks.check('a number in the palette leads to the run, decision or source; letters of none say so', async () => {
    const { id } = mock.story.decisions[3];
    await page.keyboard.press('ControlOrMeta+k');
    await palette.waitFor();
    await page.keyboard.type('zzzz');
    await palette.getByText('Nothing fits').waitFor();
    await page.locator('input[name=palette]').fill(String(id));
    for (const item of ['run', 'decision', 'source']) await page.waitForSelector(`[data-item=${item}]`);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.waitForSelector(`[data-decision-page="${id}"]`);
  });

  await checks.check('the palette stops training, and the toast undoes it', async () => {
    await page.keyboard.press('ControlOrMeta+k');
    await palette.waitFor();
    await page.keyboard.type('stop tr');
    await page.waitForSelector('[data-item=stop][aria-selected=true]');
    await page.keyboard.press('Enter');
    await page.getByText('Training stops').waitFor();
    expect(mock.story.training.enabled === false, 'it still trains');
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByText('Training starts').waitFor();
    expect(mock.story.training.enabled === true, 'the stop was not undone');
  });

  await checks.check('? lists the shortcuts, the palette among them, and Escape closes both', async () => {
    await page.keyboard.press('?');
    const help = page.locator('dialog[open]', { hasText: 'Keyboard' });
    await help.getByText('Command palette').waitFor();
    await help.getByText('Diagnostics').waitFor();
    await page.keyboard.press('Escape');
    await until(page, () => document.querySelector('dialog[open]') === null, null, 'the help to close');
    await page.keyboard.press('ControlOrMeta+k');
    await palette.waitFor();
    await page.keyboard.press('Escape');
    await palette.waitFor({ state: 'detached' });
  });

  await checks.check('a question shows the request it leads to, and both forms of it can be copied', async () => {
    await go('#/promotion');
    await page.waitForSelector('[data-promotion]');
    await page.locator('[data-roles]').getByRole('button', { name: /^Roll back to/ }).click();
    await page.locator('dialog[open] input[name=reason]').fill("it's worse");
    const call = page.locator('dialog[open] [data-copy-as="POST /api/v1/models/rollback"]');
    await call.getByRole('button', { name: /Copy as curl/ }).click();
    const curl = await page.evaluate(() => navigator.clipboard.readText());
    expect(curl === `curl -X POST -H 'Content-Type: application/json' -d '{"reason":"it'\\''s worse"}' ${home}/api/v1/models/rollback`, `copied ${curl}`);
    await call.getByRole('button', { name: /Copy as CLI/ }).click();
    const cli = await page.evaluate(() => navigator.clipboard.readText());
    expect(cli === `pointsman --url ${home} models rollback --reason 'it'\\''s worse'`, `copied ${cli}`);
    await page.keyboard.press('Escape');
    await until(page, () => document.querySelector('dialog[open]') === null, null, 'the dialog to close');
  });

  // Settings.

  const budget = (on = page) => on.locator('input[name=retry_budget]');
  await checks.check('settings: live and draft stand apart, and the host is asked before anything is changed', async () => {
    await go('#/settings');
    await liveIs('retry_budget', 3);
    await page.waitForSelector('[data-matches=true]');
    await budget().fill('5');
    await page.getByRole('switch', { name: 'Curriculum fallback' }).click();
    await checkedIs(2);
    const rows = await page.$$eval('[data-pending] tr[data-change]', (all) => all.map((row) => row.innerText.replaceAll('\t', ' ')));
    expect(rows.join('; ') === 'Curriculum fallback on off; Retry budget per source 3 attempts 5 attempts', `the diff is ${rows.join('; ')}`);
    await page.waitForSelector('[data-matches=false]');
    expect((await setting('retry_budget')) === 3, 'the draft was applied');
  });

  await checks.check('settings: the draft survives another page and a reload', async () => {
    await page.keyboard.press('Escape');
    await page.evaluate(() => (location.hash = '#/diagnostics'));
    await page.locator('h1', { hasText: 'Diagnostics' }).waitFor();
    await page.evaluate(() => (location.hash = '#/settings'));
    await checkedIs(2);
    await page.reload();
    await checkedIs(2);
    expect((await budget().inputValue()) === '5', 'what was typed is gone');
  });

  await checks.check('settings: what is wrong is said at its field, by the page at once and by the host, and cannot be applied', async () => {
    const apply = page.getByRole('button', { name: 'Apply settings' });
    await budget().fill('1000');
    await page.locator('#problem-retry_budget', { hasText: 'At most 100' }).waitFor();
    expect(await apply.isDisabled(), 'it can be applied');
    await budget().fill('4.5');
    await page.locator('#problem-retry_budget', { hasText: 'expected a whole number' }).waitFor();
    expect(await apply.isDisabled(), 'what the host refuses can be applied');
    expect((await budget().getAttribute('aria-invalid')) === 'true', 'the field is not marked');
    await budget().fill('5');
    await checkedIs(2);
  });

  await checks.check('settings: one apply with a reason changes them all, undo takes them all back', async () => {
    await page.getByRole('button', { name: 'Apply settings' }).click();
    await page.locator('dialog[open] [data-copy-as^="PATCH /api/v1/settings"]').waitFor();
    await why('a patient night', 'Apply settings');
    await liveIs('retry_budget', 5);
    await liveIs('curriculum_fallback', false);
    await pendingIs(0);
    await page.locator('[data-settings-change]', { hasText: 'a patient night' }).waitFor();
    await page.getByRole('button', { name: 'Undo', exact: true }).first().click();
    await liveIs('retry_budget', 3);
    await liveIs('curriculum_fallback', true);
    await page.locator('[data-settings-change]', { hasText: 'undid change' }).waitFor();
  });

  await checks.check('settings: another tab was faster: its changes are shown, nothing is lost, the draft is put upon them', async () => {
    const other = await tab();
    // This tab does not hear of it: it finds out by the refusal.
    const held = await answer('/api/v1/settings/form');
    let deaf = true;
    await page.route('**/api/v1/settings/form', (route) => (deaf ? route.fulfill({ json: held }) : route.continue()));
    page.on('response', (response) => response.status() === 412 && (deaf = false));
    try {
      await budget().fill('6');
      await page.locator('input[name=same_host_cap]').fill('2');
      await checkedIs(2);
      await go('#/settings', other.page);
      await budget(other.page).fill('9');
      await other.page.locator('select[name=lane_mode]').selectOption('queued_only');
      await checkedIs(2, other.page);
      await other.page.getByRole('button', { name: 'Apply settings' }).click();
      await why('the other tab', 'Apply settings', other.page);
      await liveIs('retry_budget', 9, other.page);
      await page.getByRole('button', { name: 'Apply settings' }).click();
      await why('this tab', 'Apply settings');
      const conflict = page.locator('[data-conflict]');
      await conflict.waitFor();
      const told = await conflict.innerText();
      for (const part of ['Retry budget per source: 3 → 9', '(you typed here, too)', 'Source lane mode: hybrid → queued only']) expect(told.includes(part), `no "${part}" in: ${told}`);
      await screenshot(page, 'mock-settings-conflict-desktop-light');
      expect((await setting('retry_budget')) === 9 && (await setting('same_host_cap')) === 1, 'the refused change was made');
      expect((await budget().inputValue()) === '6', 'the draft is lost');
      await conflict.getByRole('button', { name: 'Put my draft upon theirs' }).click();
      await checkedIs(2);
      await page.getByRole('button', { name: 'Apply settings' }).click();
      await why('this tab, knowing theirs', 'Apply settings');
      await liveIs('retry_budget', 6);
      expect((await setting('lane_mode')) === 'queued_only', 'the other tab’s change was undone');
      expect(other.troubles.length === 0, () => other.troubles.join('\n'));
    } finally {
      await other.close();
      await page.unroute('**/api/v1/settings/form');
    }
  });

  await checks.check('settings: a draft in a tab that only looks on learns of the other’s change by itself', async () => {
    await page.locator('input[name=loop_interval_s]').fill('7');
    await checkedIs(1);
    const etag = (await answer('/api/v1/settings/form')).etag;
    const made = await fetch(`${home}/api/v1/settings?reason=cli`, { method: 'PATCH', headers: { 'if-match': etag }, body: JSON.stringify({ loop_interval_s: 3 }) });
    expect(made.ok, `the mock answered ${made.status}`);
    const conflict = page.locator('[data-conflict]');
    await conflict.getByText('Loop interval: 0 → 3').waitFor();
    await conflict.getByRole('button', { name: 'Keep theirs where both changed' }).click();
    await pendingIs(0);
    await liveIs('loop_interval_s', 3);
  });

  await checks.check('settings: an older change is undone from the history, over later ones only knowingly', async () => {
    const [, , theirs] = (await answer('/api/v1/settings/history')).changes;
    await page.locator(`[data-settings-change="${theirs.seq}"]`).getByRole('button', { name: /^Undo change/ }).click();
    const dialog = page.locator('dialog[open]');
    await dialog.getByText('changed again since').waitFor();
    expect((await dialog.innerText()).includes('force=true'), 'the request does not say that it forces');
    await why('all of it', 'Undo');
    await liveIs('retry_budget', 3);
    await liveIs('lane_mode', 'hybrid');
  });

  await checks.check('settings: a field goes back to its default, and to what is live', async () => {
    await page.getByRole('button', { name: /^Loop interval: reset to the default/ }).click();
    await checkedIs(1);
    await page.getByRole('button', { name: 'Loop interval: revert to the live value' }).click();
    await pendingIs(0);
  });

  await checks.check('settings: a preset is saved, says when it is live, is applied, deleted and brought back', async () => {
    await budget().fill('8');
    await checkedIs(1);
    await page.fill('input[name=preset-name]', 'night');
    await page.locator('select[name=preset-what]').selectOption('draft');
    await page.getByRole('button', { name: 'Save as preset' }).click();
    const preset = page.locator('[data-preset=night]');
    await preset.waitFor();
    expect((await preset.getAttribute('data-is-live')) === 'false', 'it claims to be live');
    await page.locator('[aria-label=Draft]').getByRole('button', { name: 'Discard' }).click();
    await pendingIs(0);
    await preset.getByRole('button', { name: 'Apply', exact: true }).click();
    await page.locator('dialog[open]', { hasText: 'Retry budget per source: 3 → 8' }).waitFor();
    await why('night has come', 'Apply');
    await liveIs('retry_budget', 8);
    await page.waitForSelector('[data-preset=night][data-is-live=true]');
    await preset.getByRole('button', { name: 'Delete the preset night' }).click();
    await preset.waitFor({ state: 'detached' });
    await page.locator('[role=status]', { hasText: 'Preset night is deleted' }).getByRole('button', { name: 'Undo' }).last().click();
    await preset.waitFor();
  });

  await checks.check('settings: a search is a link, and says when nothing is called like that', async () => {
    await page.fill('input[name=settings-search]', 'guard_');
    await until(page, () => document.querySelectorAll('[data-setting]').length === 4, null, 'the guards alone');
    expect(page.url().endsWith('#/settings?q=guard_'), `the address is ${page.url()}`);
    await page.fill('input[name=settings-search]', 'no such thing');
    await page.waitForSelector('[data-empty=no-match]');
    await page.getByRole('button', { name: 'Show all' }).click();
    await page.waitForSelector('[data-group=all_tasks] [data-ceiling="1"]');
    expect((await page.locator('[data-group=all_tasks] input').count()) === 0, 'what is read only can be typed into');
  });

  // Promotion.

  await checks.check('promotion: the window, the roles and the proof are the host’s figures', async () => {
    await go('#/promotion');
    await page.waitForSelector('[data-promotion]');
    const proof = await answer('/api/v1/promotion');
    expect((await page.locator('[data-live-applies]').innerText()) === String(proof.live_applies), 'the live applies are not the host’s');
    for (const role of ['controller', 'standard']) await page.locator(`[data-role=${role}]`, { hasText: proof.roles[0].tag }).waitFor();
    await page.getByRole('button', { name: 'Watermark' }).click();
    await page.getByText('Successes that evaluations have used up already.').waitFor();
  });

  await checks.check('promotion: a held candidate is approved with a reason, and goes on', async () => {
    await fetch(`${home}/mock/hold`, { method: 'POST', body: '{}' });
    const held = page.locator('[data-held]');
    await held.waitFor();
    const tag = await held.getAttribute('data-held');
    await page.waitForSelector('[data-candidate-card] [data-interval]');
    await screenshot(page, 'mock-promotion-held-desktop-light');
    await held.getByRole('button', { name: 'Approve', exact: true }).click();
    expect(await page.locator('dialog[open] button[type=submit]').isDisabled(), 'it can be approved without a reason');
    const sent = page.waitForRequest((request) => request.url().endsWith('/api/v1/promotion/approve'));
    await why('the figures hold', 'Approve');
    const { candidate, decision } = (await sent).postDataJSON();
    expect(candidate === tag && decision === mock.story.candidate.heldFor, 'it does not name what was seen');
    await page.waitForSelector('[data-promotion=canary]');
    await held.waitFor({ state: 'detached' });
    expect(mock.story.candidate.tag === tag && mock.story.candidate.stage === 'canary', 'it did not go on');
  });

  await checks.check('promotion: a candidate that is held with something else by now is not approved by a late click', async () => {
    await fetch(`${home}/mock/hold`, { method: 'POST', body: '{}' });
    const held = page.locator('[data-held]');
    await held.getByRole('button', { name: 'Approve', exact: true }).click();
    await page.locator('dialog[open] input[name=reason]').waitFor();
    mock.story.candidate.heldFor += 1;
    await why('too late', 'Approve');
    await page.getByText('is held with decision').waitFor();
    expect(mock.story.candidate.stage === 'held', 'it was approved');
  });

  await checks.check('promotion: and turned down, it is told of as over', async () => {
    await page.locator('[data-held]').getByRole('button', { name: 'Turn down', exact: true }).click();
    await why('not convincing', 'Turn down');
    await page.waitForSelector('[data-candidate-state=none] [data-empty=not-now]');
    await page.getByText('Latest candidate whose way is over').click();
    await page.locator('[data-candidate-card]', { hasText: 'Rejected' }).waitFor();
  });

  await checks.check('promotion: a prune is shown before it is done; what is pinned stays', async () => {
    // A model that is made meanwhile would make it another plan, which is refused.
    mock.story.tick = () => {};
    await page.getByRole('button', { name: 'Dry run of a prune' }).click();
    await page.waitForSelector('[data-plan]');
    const { go_count, go } = await answer('/api/v1/models/prune');
    expect(go_count > 1, 'there is nothing to prune');
    await page.getByRole('button', { name: `Pin ${go[0].tag}`, exact: true }).click();
    await why('the first of its kind', 'Pin');
    await page.waitForSelector(`[data-plan="${go_count - 1}"]`);
    await page.getByRole('button', { name: `Prune ${go_count - 1} models` }).click();
    await why('disk', 'Prune');
    await page.waitForSelector('[data-plan="0"]');
    const kept = (await answer('/api/v1/models/prune')).stay.map(({ tag }) => tag);
    expect(kept.includes(go[0].tag), 'the pinned one is gone');
    delete mock.story.tick;
  });

  await checks.check('promotion: which model was live at a time is told by a link', async () => {
    const [first, second] = mock.story.control.switches.slice(-2).reverse();
    const at = new Date(Math.floor((first.at + second.at) / 2));
    const two = (value) => String(value).padStart(2, '0');
    const field = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
    await go(`#/promotion?at=${encodeURIComponent(field)}`);
    await page.locator('[data-live-role=standard]', { hasText: first.model }).waitFor();
    await page.fill('input[name=live-at]', '2999-01-01T00:00:00');
    await page.getByRole('button', { name: 'Tell' }).click();
    await page.getByText('nobody knows what will be live then').waitFor();
  });

  // Diagnostics.

  await checks.check('diagnostics: health by parts, and evidence from where this visit began', async () => {
    const fresh = await tab();
    try {
      await go('#/', fresh.page);
      const seq = Number(/position ([0-9,]+)/.exec(await fresh.page.locator('footer').textContent())[1].replaceAll(',', ''));
      await fresh.page.evaluate(() => (location.hash = '#/diagnostics'));
      await fresh.page.waitForSelector('[data-health=ok]');
      const parts = await fresh.page.$$eval('[data-part]', (all) => all.map((part) => part.dataset.part));
      expect(parts.join() === 'worker,scheduler,model_server,journal', `parts are ${parts}`);
      const from = Number(await fresh.page.getAttribute('[data-evidence]', 'data-evidence'));
      expect(Math.abs(from - seq) < 30, `the baseline is ${from}, the visit began at ${seq}`);
      await fresh.page.reload();
      await fresh.page.waitForSelector(`[data-evidence="${from}"]`);
      await fresh.page.waitForSelector('[data-gain=successes_gained]');
      expect(fresh.troubles.length === 0, () => fresh.troubles.join('\n'));
    } finally {
      await fresh.close();
    }
  });

  await checks.check('diagnostics: a baseline is in the address, and one that is to come is refused in words', async () => {
    await go('#/diagnostics?since=0');
    await page.waitForSelector('[data-evidence="0"]');
    await until(page, (wanted) => document.querySelector('[data-gain=live_applies_gained]')?.textContent === wanted, `+${mock.story.applies}`, 'all live applies');
    await page.getByRole('link', { name: 'Baseline: now' }).click();
    await until(page, () => document.querySelector('[data-gain=live_applies_gained]')?.textContent === '+0', null, 'nothing gained yet, told as plus zero');
    expect(/since=[0-9]+$/.test(page.url()), `the address is ${page.url()}`);
    await go('#/diagnostics?since=99999999');
    await page.getByText('the journal ends at').waitFor();
    expect((await page.locator('[data-gain=live_applies_gained]').innerText()) === '–', 'what is not known is told as a figure');
  });

  await checks.check('what cannot be loaded is asked for again at a press, and what is too old says so', async () => {
    const broken = await openPage(browser, home, { allow: [/snapshot/, /ERR_FAILED/] });
    let fails = true;
    await broken.page.route('**/api/v1/snapshot', (route) => (fails ? route.abort() : route.continue()));
    try {
      await go('#/diagnostics', broken.page);
      await broken.page.locator('[data-empty=cannot-load]').waitFor();
      fails = false;
      await broken.page.locator('[data-empty=cannot-load]').getByRole('button', { name: 'Try again' }).click();
      await broken.page.waitForSelector('.page-head [data-fresh=fresh]');
      fails = true;
      await broken.page.waitForSelector('.page-head [data-fresh=stale]');
      expect((await broken.page.locator('[data-snapshot]').count()) === 1, 'the last good answer is gone');
      fails = false;
      await broken.page.waitForSelector('.page-head [data-fresh=fresh]');
      expect(broken.troubles.length === 0, () => broken.troubles.join('\n'));
    } finally {
      await broken.close();
    }
  });

  await checks.check('control pages: no console error, no failed request, no other origin', async () => {
    expect(troubles.length === 0, () => troubles.join('\n'));
  });
  await close();

  await checks.check('an empty host: nothing is claimed that is not known', async () => {
    const empty = await startMock({ port: 0, scene: 'empty', tickMs: 1_000 });
    const opened = await openPage(browser, empty.url, { size: 'phone' });
    try {
      for (const [hash, sign] of [['#/settings', '[data-settings-history] [data-empty]'], ['#/promotion', '[data-roles] [data-empty=not-now]'], ['#/diagnostics', '[data-health]']]) {
        await opened.page.goto(`${empty.url}/${hash}`);
        await opened.page.waitForSelector(sign);
        await expectNoSidewaysScroll(opened.page);
      }
      await opened.page.getByText('no outcome yet').first().waitFor();
      expect(opened.troubles.length === 0, () => opened.troubles.join('\n'));
    } finally {
      await opened.close();
      empty.close();
    }
  });

  await fetch(`${home}/mock/hold`, { method: 'POST', body: '{}' });
  const places = { settings: ['#/settings', '[data-settings-change]'], promotion: ['#/promotion', '[data-candidate-card] [data-interval]'], diagnostics: ['#/diagnostics', '[data-gain]'] };
  for (const size of Object.keys(SIZES)) {
    for (const theme of THEMES) {
      await checks.check(`${size}, ${theme}: on settings, promotion and diagnostics nothing is cut off and all can be read`, async () => {
        const opened = await openPage(browser, home, { size, theme });
        try {
          for (const [name, [hash, sign]] of Object.entries(places)) {
            await opened.page.goto(`${home}/${hash}`);
            await live(opened.page);
            await opened.page.waitForSelector(sign);
            await screenshot(opened.page, `mock-${name}-${size}-${theme}`);
            await expectNoSidewaysScroll(opened.page);
            await expectContrast(opened.page);
            if (size === 'desktop') await expectAccessible(opened.page);
          }
          await opened.page.keyboard.press('ControlOrMeta+k');
          await opened.page.waitForSelector('[data-palette] [role=option]');
          await screenshot(opened.page, `mock-palette-${size}-${theme}`);
          if (size === 'desktop') await expectAccessible(opened.page);
          expect(opened.troubles.length === 0, () => opened.troubles.join('\n'));
        } finally {
          await opened.close();
        }
      });
    }
  }
  mock.close();
}
