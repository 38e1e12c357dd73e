/** Queue, sources and campaigns on the page alone: against a mock host of their own, whose story moves slowly. */

import { readFileSync } from 'node:fs';
import { expect, expectAccessible, expectContrast, expectNames, expectNoSidewaysScroll, live, openPage, screenshot, SIZES, THEMES, until } from './harness.mjs';
import { startMock } from '../../web/dev/mock.mjs';

/** A run lasts minutes: nothing is picked, and nothing ends, while a check is under way. */
const TICK_MS = 3_000;

export async function queueChecks(checks, browser) {
  const mock = await startMock({ port: 0, tickMs: TICK_MS });
  const home = mock.url;
  const { page, troubles, close } = await openPage(browser, home, { allow: [/422/, /status of 422/] });
  const answer = async (path) => (await fetch(home + path)).json();
  const go = async (hash) => {
    await page.goto(`${home}/${hash}`);
    await live(page);
  };
  const why = async (reason, button) => {
    await page.locator('dialog[open] input[name=reason]').fill(reason);
    await page.locator('dialog[open]').getByRole('button', { name: button, exact: true }).click();
    await until(page, () => document.querySelector('dialog[open]') === null, null, 'the dialog to close');
  };
  const rowIs = (id, status) => page.waitForSelector(`tr[data-source="${id}"][data-status=${status}]`);
  const pendingUi = async () => (await answer('/api/v1/sources?status=pending&origin=ui')).sources;

  await checks.check('queue: what runs, what comes next and why, control and lanes are there', async () => {
    await go('#/queue');
    await until(page, () => [...document.querySelectorAll('[data-figure]')].every((one) => one.dataset.known === 'true'), null, 'every figure');
    await page.waitForSelector('[data-next]:not([data-next=unknown])');
    const told = await answer('/api/v1/sources/next');
    await page.locator('[data-next] .pick', { hasText: told.picks[0].title }).waitFor();
    await page.locator('[data-hold=no_slot]').waitFor();
    await page.locator('[data-excluded=disabled]').waitFor({ state: 'attached' });
    await page.waitForSelector('[data-control=running]');
    for (const lane of ['queue', 'curriculum']) await page.waitForSelector(`[data-lane=${lane}]`);
    const { queue, capacity } = await answer('/api/v1/queue');
    expect((await page.locator('[data-figure=queue] strong').innerText()) === String(queue.queue.pending), 'the pending number is not the host’s');
    expect((await page.locator('[data-ceiling]').innerText()).includes(capacity.ceiling.words), 'the ceiling is not explained');
  });

  await checks.check('queue: before the first answer nothing claims to be known, and no number moves the page', async () => {
    const fresh = await openPage(browser, home);
    let release;
    const held = new Promise((resolve) => (release = resolve));
    // Neither the feed nor what the page asks for is answered yet.
    await fresh.page.routeWebSocket(/\/ws/, async (socket) => (await held, socket.connectToServer()));
    await fresh.page.route('**/api/v1/*', async (route) => (await held, route.continue()));
    try {
      await fresh.page.goto(`${home}/#/queue`);
      await fresh.page.waitForSelector('[data-control=unknown]');
      expect((await fresh.page.locator('[data-figure=state]').getAttribute('data-known')) === 'false', 'the state is told before it is known');
      const top = () => fresh.page.evaluate(() => document.querySelector('[data-now-next]').getBoundingClientRect().top + scrollY);
      const before = await top();
      release();
      await fresh.page.waitForSelector('[data-control=running]');
      expect(Math.abs((await top()) - before) < 2, `the page moved by ${(await top()) - before} px`);
      expect(fresh.troubles.length === 0, () => fresh.troubles.join('\n'));
    } finally {
      await fresh.close();
    }
  });

  await checks.check('queue: a filter is a link, is cleared, and says when nothing matches', async () => {
    await go('#/queue?origin=ui&text=Letters');
    await page.waitForSelector('tr[data-source]');
    const titles = await page.$$eval('tr[data-source] .name > a', (links) => links.map((link) => link.textContent));
    expect(titles.length > 0 && titles.every((title) => title.includes('Letters')), `shows ${titles}`);
    expect((await page.inputValue('input[name=filter-text]')) === 'Letters', 'the field does not show the filter');
    await page.fill('input[name=filter-text]', 'no such title');
    await page.waitForSelector('[data-backlog] [data-empty=no-match]');
    expect(page.url().includes('text=no+such+title'), `the address is ${page.url()}`);
    await page.locator('[data-backlog] [data-empty]').getByRole('link', { name: 'Clear filter' }).click();
    await page.waitForSelector('tr[data-source]');
    expect(page.url().endsWith('#/queue'), `the address is ${page.url()}`);
    await page.locator('nav[aria-label=Status]').getByRole('link', { name: 'Done' }).click();
    await page.waitForSelector('tr[data-source][data-status=done]');
    await page.locator('[data-next-page]').click();
    await until(page, () => /cursor=/.test(location.hash) && document.querySelector('tr[data-source]'), null, 'the next page');
    await page.goBack();
  });

  await checks.check('queue: what cannot be loaded says so, and is asked for again at a press', async () => {
    const broken = await openPage(browser, home, { allow: [/sources/, /ERR_FAILED/] });
    // The page also asks again by itself: only what follows the press is answered.
    await broken.page.route('**/api/v1/sources?*', async (route) => ((await broken.page.evaluate(() => window.pressed === true)) ? route.continue() : route.abort()));
    try {
      await broken.page.goto(`${home}/#/queue`);
      await broken.page.locator('[data-backlog] [role=alert]').getByRole('button', { name: 'Try again' }).waitFor();
      expect((await broken.page.locator('[data-backlog] tr[data-source]').count()) === 0, 'rows are there without an answer');
      await broken.page.evaluate(() => {
        window.pressed = true;
        [...document.querySelectorAll('[data-backlog] [role=alert] button')].find((button) => button.textContent === 'Try again').click();
      });
      await broken.page.waitForSelector('[data-backlog] tr[data-source]');
      expect(broken.troubles.length === 0, () => broken.troubles.join('\n'));
    } finally {
      await broken.close();
    }
  });

  await checks.check('queue: j, k, x and Enter work in the backlog', async () => {
    await go('#/queue?status=pending&origin=ui');
    await page.waitForSelector('tr[data-source]');
    const ids = await page.$$eval('tr[data-source]', (rows) => rows.map((row) => row.dataset.source));
    for (const key of ['j', 'j', 'k', 'j', 'x']) await page.keyboard.press(key);
    await page.waitForSelector('[data-verbs="1"]');
    expect((await page.locator('tr.chosen').getAttribute('data-source')) === ids[1], 'another row is chosen');
    await page.keyboard.press('x');
    await page.waitForSelector('[data-verbs="0"]');
    await page.keyboard.press('Enter');
    await page.waitForSelector(`[data-source-page="${ids[1]}"]`);
  });

  await checks.check('queue: several are disabled for a reason, and brought back by undo', async () => {
    await go('#/queue?origin=ui');
    const [a, b] = await pendingUi();
    for (const { id } of [a, b]) await page.getByLabel(`Choose source ${id}`).click();
    await page.locator('[data-verbs="2"]').getByRole('button', { name: 'Disable' }).click();
    expect(await page.locator('dialog[open] button[type=submit]').isDisabled(), 'it may be done without a reason');
    await why('the text is wrong', 'Disable');
    for (const { id } of [a, b]) await rowIs(id, 'disabled');
    await page.locator(`tr[data-source="${a.id}"]`, { hasText: 'the text is wrong' }).waitFor();
    await page.getByRole('button', { name: 'Undo' }).click();
    for (const { id } of [a, b]) await rowIs(id, 'pending');
  });

  await checks.check('queue: priority, title and lane are changed, undone, and a source is cancelled', async () => {
    const [one] = await pendingUi();
    const choose = async () => {
      await go('#/queue?status=all&origin=ui');
      await page.getByLabel(`Choose source ${one.id}`).click();
    };
    const now = async () => (await answer(`/api/v1/sources/${one.id}`)).row;
    await choose();
    await page.getByRole('button', { name: 'Set priority' }).click();
    await page.locator('dialog[open] input[name=priority]').fill('7');
    await why('first of all', 'Set priority');
    await page.locator(`tr[data-source="${one.id}"] td.priority`, { hasText: '7' }).waitFor();
    await page.getByRole('button', { name: 'Undo' }).last().click();
    await page.locator(`tr[data-source="${one.id}"] td.priority`, { hasText: String(one.priority) }).waitFor();
    await choose();
    await page.getByRole('button', { name: 'Rename' }).click();
    await page.locator('dialog[open] input[name=title]').fill('Another name');
    await why('clearer', 'Rename');
    await page.locator(`tr[data-source="${one.id}"]`, { hasText: 'Another name' }).waitFor();
    await choose();
    await page.getByRole('button', { name: 'Move lane' }).click();
    await why('no hurry', 'Move lane');
    await page.locator(`tr[data-source="${one.id}"] td.lane`, { hasText: 'curriculum' }).waitFor();
    await choose();
    await page.getByRole('button', { name: 'Cancel', exact: true }).click();
    await why('not needed', 'Cancel it');
    await rowIs(one.id, 'cancelled');
    expect((await now()).reason === 'not needed', 'the reason is not kept');
  });

  const enqueue = page.locator('[data-enqueue]');
  await checks.check('queue: a refused source says what is wrong at its field, and keeps what was typed', async () => {
    await go('#/queue');
    await enqueue.locator('input[name=title]').fill('From the page');
    await enqueue.locator('input[name=host]').fill('NOT A HOST');
    await enqueue.locator('input[name=priority]').fill('1.5');
    await enqueue.getByRole('button', { name: 'Queue one run' }).click();
    await enqueue.locator('#enqueue-priority-wrong', { hasText: 'whole number' }).waitFor();
    await enqueue.locator('input[name=priority]').fill('3');
    await enqueue.getByRole('button', { name: 'Queue one run' }).click();
    await enqueue.locator('#enqueue-host-wrong', { hasText: 'may hold' }).waitFor();
    await until(page, () => document.activeElement?.getAttribute('name') === 'host', null, 'the wrong field to have the focus');
    expect((await enqueue.locator('input[name=title]').inputValue()) === 'From the page', 'what was typed is gone');
  });

  await checks.check('queue: one run is queued from the form, and taken back by undo', async () => {
    await enqueue.locator('input[name=host]').fill('novel');
    await enqueue.locator('textarea[name=body]').fill('It was a dark night');
    await enqueue.getByRole('button', { name: 'Queue one run' }).click();
    await page.getByText('Queued “From the page”').waitFor();
    const [made] = (await answer('/api/v1/sources?text=From the page')).sources;
    expect(made.origin === 'ui' && made.priority === 3 && made.host === 'novel', () => JSON.stringify(made));
    await page.waitForSelector(`tr[data-source="${made.id}"]`);
    // The toast of the verb before may still stand; the latest is last.
    await page.getByRole('button', { name: 'Undo' }).last().click();
    await until(page, (id) => fetch(`/api/v1/sources/${id}`).then((found) => found.json()).then(({ row }) => row.status === 'cancelled'), made.id, 'the source to be cancelled');
  });

  await checks.check('queue: a campaign is queued, bounded, followed on its page, and cancelled', async () => {
    await enqueue.locator('input[name=title]').fill('A week of letters');
    await enqueue.locator('input[name=size]').fill('20000');
    await enqueue.getByRole('button', { name: 'Queue a campaign' }).click();
    await enqueue.locator('#enqueue-size-wrong', { hasText: '10000' }).waitFor();
    await enqueue.locator('input[name=size]').fill('4');
    await enqueue.getByRole('button', { name: 'Queue a campaign' }).click();
    await page.waitForSelector('[data-campaign-page]');
    await page.locator('strong', { hasText: '0/4' }).waitFor();
    await until(page, () => document.querySelectorAll('tr[data-source]').length === 4, null, 'four rows');
    const titles = await page.$$eval('tr[data-source] .name > a', (links) => links.map((link) => link.textContent));
    expect(new Set(titles).size === 4, `the rows have no markers of their own: ${titles}`);
    await page.getByRole('button', { name: 'Cancel the campaign' }).click();
    expect((await page.locator('dialog[open] select[name=end_runs]').count()) === 1, 'what becomes of its runs is not asked');
    await why('changed our minds', 'Cancel the campaign');
    await page.waitForSelector('[data-campaign-page][data-state=cancelled]');
    await page.locator('[data-part=cancelled]', { hasText: '4' }).waitFor();
    await page.getByRole('link', { name: 'campaigns', exact: true }).click();
    await page.locator('li[data-campaign][data-state=cancelled] [role=progressbar]').waitFor();
  });

  const importer = page.locator('[data-import]');
  const lines = [{ title: 'Imported one', host: 'novel' }, '{ broken', { title: '' }, { title: 'Imported two', host: 'NO HOST' }, { title: 'Imported three' }];
  const file = { name: 'week.jsonl', mimeType: 'application/x-ndjson', buffer: Buffer.from(lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n') + '\n') };
  await checks.check('queue: a file is imported; each bad line is told, and all of them downloaded', async () => {
    await go('#/queue');
    await importer.locator('input[type=file]').setInputFiles({ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('x') });
    await importer.locator('[role=alert]', { hasText: 'notes.txt is neither' }).waitFor();
    await importer.locator('input[type=file]').setInputFiles(file);
    await page.waitForSelector('[data-import=done]');
    expect(/5 lines: 2 queued, 0 known before, 3 refused/.test(await importer.locator('[data-report]').innerText()), await importer.locator('[data-report]').innerText());
    const told = await importer.locator('tr[data-refused]').evaluateAll((rows) => rows.map((row) => row.dataset.refused));
    expect(told.join() === '2,3,4', `lines ${told} are told`);
    const bar = importer.getByRole('progressbar');
    expect((await bar.getAttribute('aria-valuenow')) === (await bar.getAttribute('aria-valuemax')), 'the bar is not at its end');
    const [download] = await Promise.all([page.waitForEvent('download'), importer.getByRole('button', { name: /Download all 3/ }).click()]);
    const report = readFileSync(await download.path(), 'utf8').trim().split('\n');
    expect(report.length === 4 && report[0] === 'line,field,problem,fix' && report[2].startsWith('3,"title"'), report.join('\n'));
  });

  await checks.check('queue: the same file, dropped, doubles nothing', async () => {
    const before = (await answer('/api/v1/sources?text=Imported')).sources.length;
    const dropped = await page.evaluateHandle((text) => {
      const data = new DataTransfer();
      data.items.add(new File([text], 'week.jsonl'));
      return data;
    }, file.buffer.toString());
    await importer.locator('[data-drop]').dispatchEvent('drop', { dataTransfer: dropped });
    await importer.locator('[data-report]', { hasText: '0 queued, 2 known before' }).waitFor();
    expect((await answer('/api/v1/sources?text=Imported')).sources.length === before, 'sources stand twice');
    await importer.getByRole('button', { name: 'Import it once more' }).waitFor();
  });

  await checks.check('queue: stop asks why and drains, what is wanted and what is stand apart, start goes on', async () => {
    const control = page.locator('[data-control]');
    await control.getByRole('button', { name: 'Stop training' }).click();
    await why('maintenance at nine', 'Stop training');
    await page.waitForSelector('[data-control=draining] [data-desired=stopped]');
    await control.getByText('maintenance at nine').waitFor();
    await page.locator('[data-hold=training_stopped]', { hasText: 'maintenance at nine. To fix it: pointsman train start' }).waitFor();
    await control.getByRole('button', { name: 'Start training' }).click();
    await page.waitForSelector('[data-control=running] [data-desired=started]');
  });

  await checks.check('queue: the lock is taken and released for a reason', async () => {
    await page.getByRole('button', { name: 'Lock to a host or campaign' }).click();
    await page.locator('dialog[open] input[name=value]').fill('novel');
    await why('a strict order is wanted', 'Lock');
    await page.waitForSelector('[data-lock=novel]');
    await page.locator('[data-excluded=lock]').waitFor({ state: 'attached' });
    await page.getByRole('button', { name: 'Release the lock' }).click();
    await why('enough', 'Release the lock');
    await page.waitForSelector('[data-lock=""]');
  });

  await checks.check('queue: a source’s page says why it is not picked, tells its history, and has the verbs', async () => {
    const [aside] = (await answer('/api/v1/sources?status=disabled')).sources;
    await go(`#/queue/${aside.id}`);
    await page.locator('[data-why-not=not] [data-reason=disabled]').waitFor();
    await page.getByRole('button', { name: 'Enable' }).click();
    await why('the text is mended', 'Enable');
    await page.waitForSelector('[data-source-page][data-status=pending]');
    const [done] = (await answer('/api/v1/sources?status=done')).sources;
    await go(`#/queue/${done.id}`);
    await page.locator('tr[data-row] a', { hasText: /^run [0-9]+$/ }).first().waitFor();
    await page.locator('li[data-decision]').first().waitFor();
    await page.locator('.story li', { hasText: 'queued from' }).waitFor();
    expect((await page.getByRole('button', { name: 'Enable' }).count()) === 0, 'what has ended can be enabled');
  });

  await checks.check('queue: a source or campaign that is not there says so', async () => {
    const lost = await openPage(browser, home, { allow: [/404/] });
    try {
      for (const hash of ['#/queue/999999', '#/campaigns/999999']) {
        await lost.page.goto(`${home}/${hash}`);
        await lost.page.locator('[role=alert]', { hasText: 'there is no' }).waitFor();
      }
      expect(lost.troubles.length === 0, () => lost.troubles.join('\n'));
    } finally {
      await lost.close();
    }
  });

  await checks.check('jobs: a failed cycle tells its source, its decision and the class of its error', async () => {
    await go('#/jobs?status=failed');
    const row = page.locator('tr[data-job]').first();
    await row.locator('td.decision a').waitFor();
    await row.locator('a.source').waitFor();
    expect(/^(infra|deterministic)$/.test(await row.locator('td.outcome code').innerText()), 'the class of the error is missing');
  });

  await checks.check('queue: an empty host says what is missing', async () => {
    const empty = await startMock({ port: 0, scene: 'empty', tickMs: 1_000 });
    const opened = await openPage(browser, empty.url, { size: 'phone' });
    try {
      await opened.page.goto(`${empty.url}/#/queue`);
      await opened.page.waitForSelector('[data-backlog] [data-empty=nothing-yet]');
      await opened.page.waitForSelector('[data-control=stopped]');
      await opened.page.locator('[data-now] [data-empty=not-now]', { hasText: 'stopped' }).waitFor();
      expect((await opened.page.locator('[data-figure=queue] strong').innerText()) === '0', 'zero is not told as zero');
      expect((await opened.page.locator('[data-figure=success] strong').innerText()) === '–', 'no outcome is told as a share');
      await screenshot(opened.page, 'mock-queue-empty-phone-light');
      await opened.page.goto(`${empty.url}/#/campaigns`);
      await opened.page.getByText('No campaigns yet').waitFor();
      expect(opened.troubles.length === 0, () => opened.troubles.join('\n'));
    } finally {
      await opened.close();
      empty.close();
    }
  });

  await checks.check('queue: controls have names', async () => {
    await go('#/queue');
    await page.waitForSelector('tr[data-source]');
    await expectNames(page);
  });
  await checks.check('queue: no console error, no failed request, no other origin', async () => {
    expect(troubles.length === 0, () => troubles.join('\n'));
  });
  await close();

  const [done] = (await answer('/api/v1/sources?status=done')).sources;
  const [open] = (await answer('/api/v1/sources?status=pending&lane=queue')).sources;
  const places = { queue: ['#/queue', 'tr[data-source]'], 'queue-filtered': ['#/queue?text=nothing+like+it', '[data-empty]'], source: [`#/queue/${done.id}`, 'li[data-decision]'], 'source-open': [`#/queue/${open.id}`, '[data-why-not]:not([data-why-not=unknown])'], campaigns: ['#/campaigns', 'li[data-campaign]'], campaign: ['#/campaigns/1', 'tr[data-source]'] };
  for (const size of Object.keys(SIZES)) {
    for (const theme of THEMES) {
      await checks.check(`${size}, ${theme}: on every page of the queue nothing is cut off and all can be read`, async () => {
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
          expect(opened.troubles.length === 0, () => opened.troubles.join('\n'));
        } finally {
          await opened.close();
        }
      });
    }
  }
  mock.close();
}

/** The same on a host that really runs; `page` is open on it and live. It leaves the host training, as it found it. */
export async function hostQueueChecks(checks, page, home) {
  const answer = async (path) => (await fetch(new URL(path, home))).json();
  const mark = Date.now();
  const enqueue = page.locator('[data-enqueue]');
  const open = (hash) => page.evaluate((hash) => (location.hash = hash), hash);
  const why = async (reason, button) => {
    await page.locator('dialog[open] input[name=reason]').fill(reason);
    await page.locator('dialog[open]').getByRole('button', { name: button, exact: true }).click();
  };

  await checks.check('the queue’s page tells what the host tells', async () => {
    await page.keyboard.press('g');
    await page.keyboard.press('q');
    await until(page, () => document.querySelectorAll('[data-figure][data-known=true]').length === 5, null, 'five figures');
    await page.waitForSelector('[data-next]:not([data-next=unknown])');
    const { queue, capacity } = await answer('/api/v1/queue');
    expect((await page.getAttribute('[data-lanes]', 'data-lanes')) === queue.lane_mode, 'another lane mode');
    expect((await page.locator('[data-ceiling]').innerText()).includes(capacity.ceiling.words), 'the ceiling is not explained in the host’s words');
    await screenshot(page, 'host-queue-desktop-light');
  });

  await checks.check('stop is wanted with a reason, drains, and holds everything back', async () => {
    await page.locator('[data-control]').getByRole('button', { name: 'Stop training' }).click();
    await why('browser test of the queue', 'Stop training');
    await page.waitForSelector('[data-control=stopped] [data-desired=stopped]');
    await page.locator('[data-control]').getByText('browser test of the queue').waitFor();
    await page.waitForSelector('[data-hold=training_stopped]');
  });

  await checks.check('one run is queued with host and priority, and its page says why it is not picked', async () => {
    await enqueue.locator('input[name=title]').fill(`browser queue ${mark}`);
    await enqueue.locator('input[name=host]').fill('novel');
    await enqueue.locator('input[name=priority]').fill('5');
    await enqueue.getByRole('button', { name: 'Queue one run' }).click();
    const row = page.locator('tr[data-source]', { hasText: `browser queue ${mark}` });
    await row.locator('td.priority', { hasText: '5' }).waitFor();
    await row.getByRole('link', { name: `browser queue ${mark}` }).click();
    await page.waitForSelector('[data-source-page][data-status=pending]');
    await page.waitForSelector('[data-why-not]:not([data-why-not=unknown])');
    await page.locator('.why', { hasText: 'stopped' }).first().waitFor();
  });

  await checks.check('it is disabled for a reason, and enabled by undo', async () => {
    await page.getByRole('button', { name: 'Disable' }).click();
    await why('browser test', 'Disable');
    await page.waitForSelector('[data-source-page][data-status=disabled]');
    await page.getByRole('button', { name: 'Undo' }).last().click();
    await page.waitForSelector('[data-source-page][data-status=pending]');
  });

  await checks.check('a file is imported: good lines are queued, the bad one is told', async () => {
    await open('#/queue');
    const lines = [JSON.stringify({ title: `browser import ${mark}`, host: 'novel' }), '{ broken', JSON.stringify({ title: `browser import ${mark} b`, priority: 2 })];
    await page.locator('[data-import] input[type=file]').setInputFiles({ name: 'browser.jsonl', mimeType: 'application/x-ndjson', buffer: Buffer.from(lines.join('\n')) });
    await page.locator('[data-report]', { hasText: '2 queued, 0 known before, 1 refused' }).waitFor();
    await page.waitForSelector('tr[data-refused="2"]');
    const { sources } = await answer(`/api/v1/sources?text=browser import ${mark}`);
    expect(sources.length === 2 && sources.every(({ origin }) => origin === 'ui'), () => JSON.stringify(sources));
  });

  await checks.check('a campaign is queued, begins after a start, and is cancelled', async () => {
    await enqueue.locator('input[name=title]').fill(`browser campaign ${mark}`);
    await enqueue.locator('input[name=host]').fill('novel');
    await enqueue.locator('input[name=priority]').fill('9');
    await enqueue.locator('input[name=size]').fill('3');
    await enqueue.getByRole('button', { name: 'Queue a campaign' }).click();
    await page.waitForSelector('[data-campaign-page][data-state=queued]');
    await until(page, () => document.querySelectorAll('tr[data-source]').length === 3, null, 'three rows');
    const campaign = await page.getAttribute('[data-campaign-page]', 'data-campaign-page');
    await open('#/queue');
    await page.locator('[data-control]').getByRole('button', { name: 'Start training' }).click();
    await page.waitForSelector('[data-control=running] [data-desired=started]');
    await open(`#/campaigns/${campaign}`);
    await page.waitForSelector('[data-campaign-page][data-state=running]');
    await page.locator('tr[data-source]:not([data-status=pending])').first().waitFor();
    await page.getByRole('button', { name: 'Cancel the campaign' }).click();
    await why('browser test is over', 'Cancel the campaign');
    await page.waitForSelector('[data-campaign-page][data-state=cancelled]');
    await screenshot(page, 'host-campaign-desktop-light');
    await open('#/');
    await page.waitForSelector('[data-training=running]');
  });
}
