/** The queue's part of the made-up host: the backlog with its verbs, campaigns, lanes, the lock, the next pick, imports. */

const PAGE = 50;
const CAMPAIGN_MAX = 10_000;
const LABELS = { pending: 'Pending', waiting: 'Waiting to retry', running: 'Running', disabled: 'Disabled', done: 'Done', given_up: 'Given up', cancelled: 'Cancelled' };
const OPEN = ['pending', 'waiting', 'running', 'disabled'];
const ORIGINS = ['ui', 'api', 'cli', 'campaign', 'curriculum'];
const SLOTS = { global_max: 3, reserved_slots: 1, training_max_active: 1 };

export class Backlog {
  constructor(story) {
    this.story = story;
    /** All that was ever queued, by number; the story's own list holds what may be picked. */
    this.records = new Map();
    this.campaigns = [];
    this.lock = null;
    this.imports = new Map();
    this.mode = 'hybrid';
  }

  /** The story has queued it. */
  added(source, more = {}) {
    const { id, title, host, lane, origin, priority, queuedAt } = source;
    this.records.set(id, { id, title, host, lane, origin, priority, queued_at: queuedAt, campaign: null, campaign_row: null, body: '', state: null, reason: null, ended_at: null, ...more });
  }

  // Rows.

  jobsOf(id) {
    return this.story.jobs.filter((job) => job.source === id);
  }

  status(record) {
    if (record.state) return record.state;
    const waits = this.story.sources.find((source) => source.id === record.id);
    if (waits) return waits.until ? 'waiting' : 'pending';
    const [job] = this.jobsOf(record.id);
    if (!job || job.finished_at === null) return 'running';
    return { completed: 'done', cancelled: 'cancelled' }[job.status_slug] ?? 'given_up';
  }

  row(record) {
    const status = this.status(record);
    const waits = this.story.sources.find((source) => source.id === record.id);
    const jobs = this.jobsOf(record.id);
    const { id, title, host, lane, origin, priority, campaign, campaign_row, queued_at } = record;
    const ended = !OPEN.includes(status);
    return { id, title, host, lane, origin, priority, campaign, campaign_row, status, status_label: LABELS[status], reason: record.reason ?? (status === 'waiting' || status === 'given_up' ? (jobs[0]?.error ?? null) : null), attempts: jobs.length, queued_at, retry_at: waits?.until ?? null, finished_at: ended ? (record.ended_at ?? jobs[0]?.finished_at ?? null) : null };
  }

  rows() {
    return [...this.records.values()].reverse().map((record) => this.row(record));
  }

  list(params) {
    const is = (name, found) => !params.get(name) || params.get(name) === found;
    const status = params.get('status');
    const before = params.has('cursor') ? Number(params.get('cursor')) : Infinity;
    const limit = Number(params.get('limit') ?? PAGE);
    const campaign = params.get('campaign')?.replace(/^c-/, '');
    const text = params.get('text')?.toLowerCase() ?? '';
    const wanted = this.rows().filter(
      (row) =>
        (!status || (status === 'open' ? OPEN.includes(row.status) : row.status === status)) &&
        is('lane', row.lane) &&
        is('host', row.host) &&
        (params.get('origin') === 'other' ? row.origin !== 'ui' : is('origin', row.origin)) &&
        (!campaign || String(row.campaign) === campaign) &&
        row.title.toLowerCase().includes(text) &&
        row.id < before,
    );
    const sources = wanted.slice(0, limit);
    return { sources, next_cursor: wanted.length > limit ? String(sources.at(-1).id) : null, pending_total: this.story.sources.filter((source) => is('lane', source.lane)).length };
  }

  // What is told of the whole.

  lane(name) {
    const of = this.story.sources.filter((source) => source.lane === name);
    const from = (origin) => of.filter((source) => source.origin === origin).length;
    const [oldest] = of;
    const open = name === 'queue' || this.story.sources.every((source) => source.lane !== 'queue');
    return { pending: of.length, ui: from('ui'), other: of.length - from('ui'), origins: ORIGINS.map((origin) => ({ origin, pending: from(origin) })), open, oldest: oldest?.id ?? null, oldest_queued_at: oldest?.queuedAt ?? null };
  }

  capacity() {
    const { training } = this.story;
    const running = this.running().length;
    const left = SLOTS.global_max - SLOTS.reserved_slots;
    const evaluating = this.story.candidate?.stage === 'evaluating' ? 1 : 0;
    return {
      desired: training.enabled ? 'started' : 'stopped',
      actual: training.enabled ? 'running' : running > 0 ? 'draining' : 'stopped',
      by: training.by,
      reason: training.reason,
      since: training.since,
      ceiling: { ...SLOTS, left_for_training: left, effective: 1, words: `1 training run at most, as set; ${SLOTS.global_max} slots less ${SLOTS.reserved_slots} reserved would leave room for ${left}.` },
      training_free: running > 0 ? 0 : 1,
      training: running,
      eval: evaluating,
      canary: 0,
      manual: 0,
      total: running + evaluating,
      non_training: evaluating,
      explanation: `${running} of 1 training runs are under way. Evaluations, canaries and manual runs are not training: ${evaluating} more, ${running + evaluating} of ${SLOTS.global_max} in all.`,
    };
  }

  running() {
    return this.story.jobs.filter((job) => job.finished_at === null);
  }

  summary() {
    const { story } = this;
    const [queue, curriculum] = [this.lane('queue'), this.lane('curriculum')];
    const now = this.running().map((job) => {
      const record = this.records.get(job.source);
      return { run: job.id, source: job.source, title: job.name, host: job.host, lane: record.lane, origin: record.origin, campaign: record.campaign, class: job.class, attempt: job.attempt, since: job.started_at ?? job.created_at };
    });
    const mode = now.length === 0 ? 'none' : now[0].lane === 'queue' ? 'queue_pending' : 'curriculum_fallback';
    const states = [...this.records.values()].map((record) => record.state);
    return {
      at: story.at,
      queue: {
        queue,
        curriculum,
        pending_hosts: new Set(story.sources.map(({ host }) => host)).size,
        waiting: story.sources.filter(({ until }) => until).length,
        disabled: states.filter((state) => state === 'disabled').length,
        lane_mode: this.mode,
        lane_mode_label: 'Hybrid',
        curriculum_fallback: true,
        fallback_text: `Curriculum fallback is on: with an empty queue the curriculum is picked from (${curriculum.pending} pending).`,
        campaign_lock: this.lock?.key === 'campaign',
        lock: this.lock,
        host_policy: this.lock ? `Locked: nothing but ${this.lock.key} ${this.lock.value} is picked.` : 'Host-diverse: hosts take turns, those of the last 3 picks come later; at most 1 run of a host at a time.',
        same_host_cap: 1,
        recent_host_window: 3,
        recent_hosts: [...new Set(story.jobs.slice(0, 3).map(({ host }) => host))],
        selection_mode: mode,
        now,
        idle_reason: now.length > 0 || story.sources.length > 0 ? null : story.training.enabled ? 'Nothing is pending in either lane.' : 'Training is stopped, and nothing is pending.',
        sentence: `Hybrid: the queue first, then the curriculum where fallback is on; the automatic loop is ${story.training.enabled ? 'running' : 'stopped'}; ${now.length > 0 ? 'a source is being trained on' : 'nothing is being trained on'}.`,
        ui_share: `${queue.ui} of ${queue.pending} queued sources came from the page`,
        campaigns_open: this.campaigns.filter((one) => ['queued', 'running'].includes(this.campaign(one).state)).length,
      },
      capacity: this.capacity(),
      outcomes: { status: 'ok', outcomes: story.outcomes.length, entries: story.seq, bytes: 400_000 + story.seq * 212 },
      alerts: [],
    };
  }

  /** What would be picked: the same scores each time that it is asked on the same state. */
  next(about) {
    const { story } = this;
    const eligible = story.sources.filter((source) => !source.until && this.mayPick(source));
    const candidates = eligible.map((source) => {
      const terms = [
        { name: 'queue_first', value: source.lane === 'queue' ? 1000 : 0 },
        { name: 'priority', value: source.priority * 10 },
        { name: 'age', value: Math.round((story.at - source.queuedAt) / 100) / 100 },
        { name: 'host_recent', value: story.jobs.slice(0, 3).some((job) => job.host === source.host) ? -5 : 0 },
      ];
      return { source: source.id, title: source.title, host: source.host, lane: source.lane, origin: source.origin, campaign: null, age_s: (story.at - source.queuedAt) / 1000, attempts: source.attempts, priority: source.priority, score: terms.reduce((sum, { value }) => sum + value, 0), terms, blocked: [], chance: null };
    });
    candidates.sort((a, b) => b.score - a.score);
    const [pick, ...others] = candidates;
    const holds = [];
    if (!story.training.enabled) holds.push({ code: 'training_stopped', sources: null, text: `Training was stopped by ${story.training.by}: ${story.training.reason}.`, fix: 'pointsman train start' });
    if (this.running().length > 0) holds.push({ code: 'no_slot', sources: null, text: 'All 1 training slots are taken.', fix: null });
    const excluded = [];
    const kept = (code, count, text) => count > 0 && excluded.push({ code, sources: count, text, fix: null });
    kept('waiting', story.sources.filter(({ until }) => until).length, 'They wait for their next attempt.');
    kept('disabled', [...this.records.values()].filter(({ state }) => state === 'disabled').length, 'They wait for a person to enable them.');
    kept('lock', story.sources.filter((source) => !this.mayPick(source)).length, `The lock on ${this.lock?.value} keeps them out.`);
    let why = null;
    if (about !== null) {
      const record = this.records.get(about);
      const status = record && this.status(record);
      const place = others.find(({ source }) => source === about);
      const reasons = [];
      if (place) reasons.push({ code: 'not_first', sources: 1, text: `The policy scored it ${place.score.toFixed(4)}, and ${pick.score.toFixed(4)} source ${pick.source}, which it picks first.`, fix: null });
      else if (pick?.source !== about) reasons.push({ code: status, sources: 1, text: status === 'disabled' ? 'It is disabled and waits for a person.' : `It is ${LABELS[status]?.toLowerCase()}.`, fix: status === 'disabled' ? `pointsman queue enable ${about}` : null });
      why = { source: about, picked: pick?.source === about, candidate: Boolean(place) || pick?.source === about, reasons };
    }
    const serving = story.policies[0];
    const what = pick ? `Next comes source ${pick.source}, '${pick.title}'` : 'Nothing is pending';
    const sentence = holds.length === 0 ? `${what}.` : pick ? `${what}, but not yet: ${holds[0].text}` : `${what}. ${holds[0].text}`;
    const decision = pick ? { ...story.decisions.find((one) => one.kind === 'source-selection'), id: 0, seq: 0, policy: `${serving.name}@${serving.version}` } : null;
    return { at: story.at, selection_mode: pick ? (pick.lane === 'queue' ? 'queue_pending' : 'curriculum_fallback') : 'none', now: holds.length === 0 && pick !== undefined, holds, picks: pick ? [pick] : [], others, left_out: 0, excluded, decision, about: why, sentence };
  }

  mayPick(source) {
    if (this.lock === null) return true;
    return this.lock.key === 'host' ? source.host === this.lock.value : `c-${this.records.get(source.id).campaign}` === this.lock.value;
  }

  campaign(one) {
    const rows = [...this.records.values()].filter((record) => record.campaign === one.id).map((record) => this.row(record));
    const count = (...statuses) => rows.filter((row) => statuses.includes(row.status)).length;
    const [done, queued, running] = [count('done'), count('pending', 'waiting'), count('running')];
    const started = this.story.jobs.filter((job) => rows.some((row) => row.id === job.source)).map((job) => job.created_at);
    const open = queued + running > 0;
    return { id: one.id, name: `c-${one.id}`, title: one.title, host: one.host, lane: 'queue', total: rows.length, done, percent: rows.length === 0 ? 0 : (100 * done) / rows.length, queued, running, failed: count('given_up', 'disabled'), cancelled: count('cancelled'), state: one.cancelled_by ? 'cancelled' : !open ? 'ended' : started.length > 0 ? 'running' : 'queued', first_source: one.first_source, queued_at: one.queued_at, started_at: started.length === 0 ? null : Math.min(...started), finished_at: open ? null : Math.max(0, ...rows.map((row) => row.finished_at ?? 0)) || null, by: one.by, reason: one.reason, cancelled_by: one.cancelled_by, cancel_reason: one.cancel_reason, holds_lock: this.lock?.holder === one.id };
  }

  snapshot() {
    const { story } = this;
    const view = { fingerprint: 'f3de5180266d60b7', seq: story.seq, generated_at: story.at, age_ms: 0, ttl_ms: 5_000 };
    const latest = story.outcomes.slice(-100);
    const well = latest.filter((one) => one === 'completed').length;
    const components = [['worker', 'Worker', 'Runs are under way.'], ['scheduler', 'Scheduler', 'Sources are picked as there is room.'], ['model_server', 'Model server', `${story.active?.tag ?? 'No model'} answers requests.`], ['journal', 'Journal', 'Every entry is on disk before it is told.']].map(([slug, label, text]) => ({ slug, label, status: 'ok', text, fix: null }));
    return { view, health: { view, status: 'ok', status_label: 'All is well', queue_depth: story.sources.length, components }, heartbeat: { at: story.at, age_ms: 0, stale_after_ms: 15_000, stale: false }, recent: { successes: well, outcomes: latest.length, window: 100, percent: latest.length === 0 ? null : (100 * well) / latest.length } };
  }

  // What people do.

  queue(body, origin, more = {}) {
    const source = this.story.queue(body.title.trim(), body.host, origin, body.priority ?? 0);
    Object.assign(this.records.get(source.id), { body: body.body ?? '', ...more });
    return source;
  }

  /** What is wrong with a source, as the host says it. */
  wrong(body) {
    if (!body.title?.trim()) return { field: 'title', problem: 'is empty; say in a few words what is to be practised' };
    if (body.host && !/^[a-z0-9.-]+$/.test(body.host)) return { field: 'host', problem: 'may hold a to z, 0 to 9, dot and hyphen only' };
    if (!Number.isInteger(body.priority ?? 0)) return { field: 'priority', problem: 'is no whole number' };
    return null;
  }

  do(verb, record, body) {
    const status = this.status(record);
    if (!OPEN.includes(status)) return problem(404, 'source_unknown', `there is no source ${record.id} that is pending, running or disabled`);
    if (status === 'running') return problem(409, 'source_running', `source ${record.id} is running as run ${this.jobsOf(record.id)[0]?.id}`);
    const { sources } = this.story;
    const at = sources.findIndex((source) => source.id === record.id);
    if (verb === 'disable' && status !== 'disabled') {
      Object.assign(record, { state: 'disabled', reason: body.reason, kept: sources[at] });
      sources.splice(at, 1);
    } else if (verb === 'enable' && status === 'disabled') {
      sources.push({ ...record.kept, ...pick(record), until: null });
      Object.assign(record, { state: null, reason: null });
    } else if (verb === 'cancel') {
      if (at !== -1) sources.splice(at, 1);
      Object.assign(record, { state: 'cancelled', reason: body.reason, ended_at: this.story.at });
    } else if (verb === 'move' || verb === 'edit') {
      const { title, host, priority, lane } = body;
      const change = Object.fromEntries(Object.entries({ title, host, priority, lane }).filter(([, value]) => value !== undefined));
      const wrong = this.wrong({ ...record, ...change });
      if (wrong) return refused(wrong);
      Object.assign(record, change);
      if (at !== -1) Object.assign(sources[at], pick(record));
    } else if (verb === 'run') {
      // One run at a time in this story: it is the next.
      if (at !== -1) sources[at].priority = 1_000;
    }
    this.story.seq += 1;
    return answer(200, { source: record.id });
  }

  /** Answers null where the path is none of the queue's. */
  answer(method, path, params, body, raw, type) {
    const route = `${method} ${path}`;
    const { story } = this;
    if (route === 'GET /api/v1/queue') return answer(200, this.summary());
    if (route === 'GET /api/v1/training') return answer(200, this.capacity());
    if (route === 'GET /api/v1/snapshot') return answer(200, this.snapshot());
    if (route === 'GET /api/v1/sources') return answer(200, this.list(params));
    if (route === 'GET /api/v1/sources/next') return answer(200, this.next(params.has('source') ? Number(params.get('source')) : null));
    if (route === 'POST /api/v1/sources/import') return { lines: this.import(raw, type, params.get('nonce')) };
    if (route === 'POST /api/v1/sources') {
      const wrong = this.wrong(body);
      if (wrong) return refused(wrong);
      return answer(201, { source: this.queue(body, 'ui').id, campaign: null });
    }
    if (route === 'POST /api/v1/queue/lock') {
      this.lock = { key: body.key, value: body.value, holder: body.key === 'campaign' ? Number(body.value.replace('c-', '')) : null, since: story.at, by: 'web', reason: body.reason ?? '' };
      story.seq += 1;
      return answer(200, {});
    }
    if (route === 'POST /api/v1/queue/unlock') {
      this.lock = null;
      story.seq += 1;
      return answer(200, {});
    }
    if (route === 'GET /api/v1/campaigns') {
      const before = params.has('cursor') ? Number(params.get('cursor')) : Infinity;
      const limit = Number(params.get('limit') ?? PAGE);
      const found = this.campaigns.filter(({ id }) => id < before);
      return answer(200, { campaigns: found.slice(0, limit).map((one) => this.campaign(one)), next_cursor: found.length > limit ? String(found[limit - 1].id) : null });
    }
    if (route === 'POST /api/v1/campaigns') {
      const { size } = body;
      if (!Number.isInteger(size) || size < 1 || size > CAMPAIGN_MAX) return refused({ field: 'size', problem: `a whole number from 1 to ${CAMPAIGN_MAX}` }, 'campaign_size');
      const wrong = this.wrong(body);
      if (wrong) return refused(wrong);
      return answer(201, { source: null, campaign: this.startCampaign(body).id });
    }
    const [, campaign, cancelled] = /^\/api\/v1\/campaigns\/(?:c-)?([0-9]+)(\/cancel)?$/.exec(path) ?? [];
    if (campaign !== undefined) {
      const one = this.campaigns.find(({ id }) => id === Number(campaign));
      if (!one) return problem(404, 'no_such_campaign', `there is no campaign c-${campaign}`, 'pointsman campaign list');
      if (!cancelled) return answer(200, this.campaign(one));
      for (const record of this.records.values()) if (record.campaign === one.id && ['pending', 'waiting', 'disabled'].includes(this.status(record))) this.do('cancel', record, body);
      Object.assign(one, { cancelled_by: 'web', cancel_reason: body.reason });
      return answer(200, { campaign: one.id });
    }
    const [, source, verb] = /^\/api\/v1\/sources\/([0-9]+)(?:\/(move|enable|disable|cancel|run))?$/.exec(path) ?? [];
    if (source === undefined) return null;
    const record = this.records.get(Number(source));
    if (!record) return problem(404, 'no_such_source', `there is no source ${source}`);
    if (method === 'PATCH') return this.do('edit', record, body);
    if (verb) return this.do(verb, record, body);
    const runs = this.jobsOf(record.id).map(({ id }) => id);
    return answer(200, { row: this.row(record), body: record.body, marker: record.campaign === null ? null : `c-${record.campaign}/${record.campaign_row}`, runs });
  }

  /** A campaign under way, sources of each kind that waits, and one that a person has taken aside. */
  scene() {
    this.startCampaign({ title: 'Evening practice', host: 'novel', size: 12, reason: 'before the release' });
    for (const [title, host, priority] of [['Letters, volume 3', 'novel', 2], ['Harvest minutes 1912', 'minutes', 0], ['A ledger with a very long title that says in full what is to be practised, and why', 'ledger', -1]]) this.queue({ title, host, priority, body: 'It was the best of times' }, 'ui');
    const aside = this.queue({ title: 'Weather of a wet year', host: 'weather' }, 'cli');
    this.do('disable', this.records.get(aside.id), { reason: 'the text is being mended' });
  }

  startCampaign(body) {
    const id = (this.campaigns[0]?.id ?? 0) + 1;
    const one = { id, title: body.title.trim(), host: body.host ?? null, first_source: this.story.nextSource, queued_at: this.story.at, by: 'web', reason: body.reason ?? '', cancelled_by: null, cancel_reason: null };
    this.campaigns.unshift(one);
    for (let row = 1; row <= body.size; row++) this.queue({ ...body, title: `${one.title} [c-${id}/${row}]` }, 'campaign', { campaign: id, campaign_row: row });
    return one;
  }

  *import(raw, type, nonce) {
    const lines = raw.split('\n');
    if (lines.at(-1) === '') lines.pop();
    const bytes = raw.length;
    const known = this.imports.get(nonce);
    yield { started: { nonce } };
    let [queued, refusedCount, blank] = [0, 0, 0];
    const told = [];
    const names = type === 'text/csv' ? lines[0].split(',') : null;
    for (const [at, line] of lines.entries()) {
      if (names && at === 0) continue;
      if (line.trim() === '') {
        blank += 1;
        continue;
      }
      let body = null;
      try {
        body = names ? Object.fromEntries(line.split(',').map((cell, column) => [names[column], names[column] === 'priority' ? Number(cell) : cell])) : JSON.parse(line);
      } catch {
        told.push({ line: at + 1, field: '', problem: 'is no JSON', fix: 'one JSON object per line' });
      }
      const wrong = body && this.wrong(body);
      if (wrong) told.push({ line: at + 1, field: wrong.field, problem: wrong.problem, fix: 'mend the line and import the file again' });
      if (body === null || wrong) refusedCount += 1;
      else {
        queued += 1;
        if (!known) this.queue(body, 'ui');
      }
      if (at % 100 === 99) yield { progress: { lines: at + 1, bytes: Math.round((bytes * (at + 1)) / lines.length), queued, known: 0, refused: refusedCount } };
    }
    this.imports.set(nonce, queued);
    for (const refused of told) yield { refused };
    yield { report: { nonce, lines: lines.length, bytes, queued: known ? 0 : queued, known: known ? queued : 0, refused: refusedCount, blank } };
  }
}

function pick({ title, host, priority, lane }) {
  return { title, host, priority, lane };
}

function answer(status, body) {
  return { status, body };
}

function problem(status, code, detail, fix = null, errors = []) {
  return { status, problem: [code, 'The host refuses it', detail, fix, errors] };
}

function refused({ field, problem: words }, code = 'source_invalid') {
  return problem(422, code, `${field}: ${words}`, null, [{ pointer: `/${field}`, detail: words }]);
}
