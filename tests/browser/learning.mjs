/** The page of what was learnt: relay, learning memory, sinks; and on a job, what it was given. */

import { expect, expectAccessible, expectContrast, expectNames, expectNoSidewaysScroll, live, openPage, screenshot, SIZES, THEMES, until } from './harness.mjs';
import { startMock } from '../../web/dev/mock.mjs';

const STEPS = 'intake,execution,ingest,reuse';
const stepsOf = (page) => page.$$eval('[data-step]', (all) => all.map((step) => step.dataset.step).join());
const foundIs = (page, wanted, what) => until(page, (wanted) => document.querySelector('[data-found]')?.dataset.found === String(wanted), wanted, what);

export async function learningChecks(checks, browser) {
  const mock = await startMock({ port: 0, tickMs: 500 });
  const home = mock.url;
  const { page, troubles, close } = await openPage(browser, home, { allow: [/422/], permissions: ['clipboard-read', 'clipboard-write'] });
  const answer = async (path) => (await fetch(home + path)).json();
  const lag = (outcomes) => fetch(`${home}/mock/lag`, { method: 'POST', body: JSON.stringify({ outcomes }) });
  const go = async (hash) => {
    await page.goto(`${home}/${hash}`);
    await live(page);
  };

  await checks.check('learning: the page opens from the navigation and by g l, with the four steps and their latest', async () => {
    await go('#/');
    await page.getByRole('link', { name: 'Learning', exact: true }).click();
    await page.waitForSelector('[data-relay-status=healthy]');
    expect((await stepsOf(page)) === STEPS, 'not the four steps in their order');
    expect((await page.locator('[data-relay-reason]').count()) === 0, 'a healthy relay gives a reason');
    for (const step of STEPS.split(',')) await page.locator(`[data-step=${step}] .figure strong`, { hasText: /^[0-9,]+$/ }).waitFor();
    const { steps, latest_success: success } = await answer('/api/v1/relay');
    await page.locator(`[data-step=ingest] a[href="#/jobs/${steps[2].latest_id}"]`).waitFor();
    await page.waitForSelector(`[data-latest-success="${success.run}"]`);
    await go('#/');
    await page.keyboard.press('g');
    await page.keyboard.press('l');
    await page.locator('h1', { hasText: 'Learning' }).waitFor();
    expect((await page.locator('nav[aria-label=Pages] a[aria-current=page]').textContent()) === 'Learning', 'it does not say where one is');
  });

  await checks.check('learning: pulse, latest success and the counts of 30 minutes are the host’s figures', async () => {
    // What does not move can be compared.
    mock.story.tick = () => {};
    try {
      await go('#/relay');
      const relay = await answer('/api/v1/relay');
      const { pulse, latest_success: success } = relay;
      const figures = {
        'Relay.sources_consumed_30m': relay.sources_consumed_30m,
        'Relay.records_ingested_30m': relay.records_ingested_30m,
        'RelayPulse.queue_pending': pulse.queue_pending,
        'RelayPulse.training_running': `${pulse.training_running} of ${pulse.training_cap}`,
        'RelayPulse.other_running': pulse.other_running,
        'RelayPulse.window_done': `${pulse.window_done} of ${pulse.window_size}`,
        'RelayPulse.live_applies': pulse.live_applies,
        'RelayPulse.standard_model': pulse.standard_model,
      };
      for (const [name, wanted] of Object.entries(figures)) {
        await until(page, ([name, wanted]) => document.querySelector(`[data-fact="${name}"] .value`)?.textContent.trim() === wanted, [name, String(wanted)], `${name} to be ${wanted}`);
      }
      await page.locator('[data-fact="RelayPulse.training_running"]', { hasText: `${Math.round(pulse.utilisation_percent)} % in use` }).waitFor();
      await page.locator(`[data-latest-success="${success.run}"]`, { hasText: success.title }).locator(`a[href="#/queue/${success.source}"]`).waitFor();
    } finally {
      delete mock.story.tick;
    }
  });

  await checks.check('learning: a memory that is too far behind degrades the relay, says why, and the gate waits', async () => {
    await go('#/relay');
    await lag(25);
    await page.waitForSelector('[data-relay-status=degraded]');
    await page.locator('[data-relay-reason]', { hasText: 'Learning Ingest: 25 outcomes behind, at most 20 are allowed' }).waitFor();
    await page.waitForSelector('[data-step=ingest][data-state=degraded] [data-lag=over]');
    await page.locator('[data-gate-wait]', { hasText: 'looked at again' }).waitFor();
    await page.waitForSelector('[data-memory=catching_up]');
    await lag(0);
    await page.waitForSelector('[data-relay-status=healthy]');
    await page.locator('[data-gate-wait]').waitFor({ state: 'detached' });
  });

  await checks.check('learning: a search is a link, finds records with all of the words, and marks them', async () => {
    await go('#/relay?q=EVENING%20whale');
    const { records } = await answer('/api/v1/memory?q=evening%20whale&limit=12');
    expect(records.length > 0, 'the mock remembers nothing of it');
    await foundIs(page, records.length, 'the records that the host finds');
    const marks = await page.$$eval('[data-record]:first-of-type mark', (all) => all.map((mark) => mark.textContent.toLowerCase()));
    expect(marks.includes('whale') && marks.includes('évening'), `marked are ${marks}`);
    await page.waitForSelector('[data-copy-as="GET /api/v1/memory?q=EVENING+whale&limit=12"]');
    await page.fill('input[name=memory-search]', 'whale zyzzyva');
    await page.locator('[data-empty=no-match]', { hasText: 'No record holds all of these words' }).waitFor();
    expect(page.url().endsWith('#/relay?q=whale+zyzzyva'), `the address is ${page.url()}`);
    await page.fill('input[name=memory-search]', '***');
    await page.locator('[data-empty=no-match]', { hasText: 'There is no word in that' }).waitFor();
    await page.getByRole('button', { name: 'Show the newest' }).click();
    await foundIs(page, 12, 'the newest records');
    expect(page.url().endsWith('#/relay'), `the address is ${page.url()}`);
  });

  await checks.check('learning: a rebuild shows its request and asks first; left, it changes nothing', async () => {
    const dialog = page.locator('dialog[open]');
    let sent = 0;
    page.on('request', (request) => (sent += Number(request.url().endsWith('/api/v1/memory/rebuild'))));
    await page.getByRole('button', { name: 'Rebuild', exact: true }).click();
    await dialog.locator('[data-copy-as="POST /api/v1/memory/rebuild"]').waitFor();
    expect((await dialog.locator('input[name=reason]').count()) === 0, 'it asks for a reason that nobody keeps');
    await dialog.getByRole('button', { name: 'Leave as it is' }).click();
    await dialog.waitFor({ state: 'detached' });
    expect(sent === 0 && mock.story.learning.rebuilt === null, 'it was built anew all the same');
    await page.getByRole('button', { name: 'Rebuild', exact: true }).click();
    await dialog.getByRole('button', { name: 'Build anew' }).click();
    await page.getByText('Built anew by this host process: a person asked for it').waitFor();
    expect(sent === 1, `${sent} requests were sent`);
  });

  await checks.check('learning: each sink tells its lag, its state and why it waits', async () => {
    await page.waitForSelector('[data-sinks="2"]');
    await page.waitForSelector('[data-sink=audit][data-state=idle]');
    const hook = page.locator('[data-sink=hook][data-state=retrying]');
    await hook.getByText('it answered 503 Service Unavailable').waitFor();
    await hook.getByText('5 failures in a row').waitFor();
    await hook.getByText(/tried again (in|now)/).waitFor();
    await hook.locator('[data-fact="SinkCard.lag"]', { hasText: '17' }).waitFor();
    await expectNames(page);
  });

  await checks.check('learning: a job shows what it was given of the memory, slot by slot, with what is missing', async () => {
    const { jobs } = await answer('/api/v1/jobs?limit=100');
    const { id } = jobs.find((job) => job.class === 'training' && job.started_at !== null);
    const { memory } = await answer(`/api/v1/jobs/${id}`);
    await go(`#/jobs/${id}`);
    await page.waitForSelector(`[data-given="${memory.items}"]`);
    const slots = await page.$$eval('[data-slot]', (all) => all.map((slot) => slot.dataset.slot).join());
    expect(slots === 'same_host,similar,failures', `slots are ${slots}`);
    await page.locator(`[data-slot=same_host] a[href="#/jobs/${memory.slots[0].items[0].run}"]`).waitFor();
    await page.getByText('Failures of this source: less than half of the room was filled').waitFor();
    expect(troubles.length === 0, () => troubles.join('\n'));
  });
  await close();

  await checks.check('learning: an empty host remembers nothing, and says how a sink is declared', async () => {
    const empty = await startMock({ port: 0, scene: 'empty', tickMs: 1_000 });
    const opened = await openPage(browser, empty.url, { size: 'phone' });
    try {
      await opened.page.goto(`${empty.url}/#/relay`);
      await opened.page.waitForSelector('[data-relay-status=healthy]');
      await foundIs(opened.page, 0, 'no record');
      await opened.page.getByText('Nothing is remembered yet').waitFor();
      const sinks = opened.page.locator('[data-sinks="0"]');
      await sinks.getByText('No sink is declared').waitFor();
      await sinks.locator('pre', { hasText: '"kind": "webhook"' }).waitFor();
      await sinks.getByRole('button', { name: 'Copy the command pointsman sinks check sinks.json' }).waitFor();
      await expectNoSidewaysScroll(opened.page);
      await screenshot(opened.page, 'mock-learning-empty-phone-light');
      expect(opened.troubles.length === 0, () => opened.troubles.join('\n'));
    } finally {
      await opened.close();
      empty.close();
    }
  });

  const job = mock.story.jobs.find((one) => one.class === 'training' && one.status_slug === 'completed').id;
  await lag(25);
  for (const size of Object.keys(SIZES)) {
    for (const theme of THEMES) {
      await checks.check(`${size}, ${theme}: on learning nothing is cut off and all can be read`, async () => {
        const opened = await openPage(browser, home, { size, theme });
        try {
          for (const [name, hash, sign] of [['learning', '#/relay?q=whale', '[data-record] mark'], ['given', `#/jobs/${job}`, '[data-slot]']]) {
            await opened.page.goto(`${home}/${hash}`);
            await live(opened.page);
            await opened.page.waitForSelector(sign);
            if (name === 'learning') await opened.page.waitForSelector('[data-gate-wait]');
            if (name === 'learning') await opened.page.waitForSelector('[data-sink]');
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

/** Against a host that really runs. */
export async function hostLearningChecks(checks, page, home) {
  await checks.check('learning: what this host learnt is remembered and found', async () => {
    const answer = async (path) => (await fetch(new URL(path, home))).json();
    await page.goto(`${home}#/relay`);
    await page.waitForSelector('[data-relay-status]');
    expect((await stepsOf(page)) === STEPS, 'not the four steps in their order');
    // As soon as a training run has ended well, its record is there.
    await until(page, () => (document.querySelector('[data-latest-success]')?.dataset.latestSuccess ?? '') !== '', null, 'a training run that ended well');
    await until(page, () => Number(document.querySelector('[data-fact="MemoryStatus.successes"] .value')?.textContent.replaceAll(',', '')) > 0, null, 'a record of a success');
    const [record] = (await answer('/api/v1/memory?limit=1')).records;
    const [word] = record.title.split(/[^\p{L}\p{N}]+/u).sort((a, b) => b.length - a.length);
    await page.fill('input[name=memory-search]', word);
    await page.locator('[data-record] mark', { hasText: new RegExp(word, 'i') }).first().waitFor();
    await page.waitForSelector('[data-sinks]:not([data-sinks=unknown])');
    await expectAccessible(page);
    await screenshot(page, 'host-learning-desktop-light');
  });
}
