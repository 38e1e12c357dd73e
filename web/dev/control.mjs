/** The made-up host's settings, health, evidence and proof of promotion. Its words are shorter than a real one's. */

import { readFileSync } from 'node:fs';

const FORM = JSON.parse(readFileSync(new URL('./settings.json', import.meta.url), 'utf8'));
const TTL_MS = 5_000;
const KEEP = 20;

const HELP = {
  'Evidence.successes_gained': 'Successful outcomes since the baseline.',
  'Heartbeat.at': "When the coordinator's loop last turned; none before its first turn.",
  'LiveSnapshot.trace_coverage': 'Share of recent outcomes that left a loss curve or events to look into.',
  'PromotionWindow.watermark': 'Successes that evaluations have used up already.',
  'PromotionWindow.next_target': 'Successes in all at which the next evaluation is due: the watermark plus the size.',
  'Promotion.live_applies': 'Models that went live after they passed their evaluation and canary.',
};

export class Control {
  constructor(story) {
    this.story = story;
    this.groups = structuredClone(FORM.groups);
    this.changes = [];
    this.presets = new Map();
    this.pins = new Map();
    this.retired = new Set();
    /** Newest first. */
    this.switches = [];
    this.ended = null;
  }

  /** Another model went live. */
  switched(model, before, cause, decision = null, reason = null) {
    this.switches.unshift({ seq: this.story.seq, at: this.story.at, model, before, cause, decision, actor: reason === null ? null : 'web', reason });
  }

  over(candidate, end, decision) {
    this.ended = { candidate: structuredClone(candidate), end, at: this.story.at, decision };
  }

  view(content = '') {
    return { fingerprint: hash(JSON.stringify([content, this.story.seq])), seq: this.story.seq, generated_at: this.story.at, age_ms: 0, ttl_ms: TTL_MS };
  }

  // Settings.

  rows(writable = true) {
    return this.groups.filter((group) => group.writable || !writable).flatMap((group) => group.settings);
  }

  values() {
    return Object.fromEntries(this.rows(false).map(({ name, value }) => [name, value]));
  }

  etag() {
    return `"${hash(JSON.stringify(this.values()))}"`;
  }

  ceiling(values = this.values()) {
    const left = values.global_max - values.reserved_slots;
    const effective = Math.min(left, values.training_max_active);
    return { global_max: values.global_max, reserved_slots: values.reserved_slots, left_for_training: left, training_max_active: values.training_max_active, effective, words: `${effective} training runs at most: the lesser of ${values.training_max_active}, as set, and ${left}, which ${values.global_max} slots less ${values.reserved_slots} reserved leave.` };
  }

  diff(before, after) {
    return this.rows(false).filter(({ name }) => before[name] !== after[name]).map(({ name, label }) => ({ name, label, before: before[name], after: after[name] }));
  }

  wrong(patch) {
    return Object.entries(patch).flatMap(([name, value]) => {
      const row = this.rows(false).find((one) => one.name === name);
      const at = (detail) => [{ pointer: `/${name}`, detail }];
      if (!row) return at('is no setting; `pointsman settings` lists them');
      if (!this.rows().includes(row)) return at('is not changed here: `pointsman up` sets it at the start of the host');
      if (value === null) return row.may_be_none ? [] : at('may not be none');
      if (row.choices.length > 0) return row.choices.includes(value) ? [] : at(`is one of ${row.choices.join(', ')}`);
      if (typeof row.default === 'boolean') return typeof value === 'boolean' ? [] : at('is true or false');
      if (typeof value !== 'number') return at('is a number');
      if (Number.isInteger(row.default) && !name.startsWith('guard_') && !Number.isInteger(value)) return at(`invalid type: floating point ${value}, expected a whole number`);
      return value < row.minimum || value > row.maximum ? at(`is ${row.minimum} to ${row.maximum}`) : [];
    });
  }

  /** Somebody was faster: what they have changed since the tag that was sent. */
  stale(tag) {
    const known = [this.values(), ...this.changes.map(({ before }) => before)];
    const theirs = known.find((values) => `"${hash(JSON.stringify(values))}"` === tag);
    const errors = theirs ? this.diff(theirs, this.values()).map(({ name, before, after }) => ({ pointer: `/${name}`, detail: `is ${after} now; it was ${before} when you read it` })) : [];
    return refused(412, 'settings_changed', 'the settings have been changed since they were read', 'read them again, and send the new ETag as If-Match', errors);
  }

  revise(patch, { dryRun, reason, cause = 'edited', undoes = null, preset = null }) {
    const before = this.values();
    const after = { ...before, ...patch };
    const changes = this.diff(before, after);
    let seq = null;
    if (!dryRun && changes.length > 0) {
      for (const row of this.rows()) if (row.name in patch) row.value = patch[row.name];
      this.story.seq += 1;
      seq = this.story.seq;
      this.changes.unshift({ seq, at: this.story.at, actor: 'web', reason, cause, undoes, preset, changes, before, after });
    }
    return answer(200, { dry_run: dryRun, changes, seq, etag: dryRun ? `"${hash(JSON.stringify(after))}"` : this.etag(), settings: after, ceiling: this.ceiling(after) });
  }

  undo(seq, { dryRun, force, reason }) {
    const change = this.changes.find((one) => one.seq === seq);
    if (!change) return refused(404, 'no_such_change', `entry ${seq} of the journal is no change of settings`);
    const now = this.values();
    const again = change.changes.filter(({ name, after }) => now[name] !== after).map(({ name, after }) => ({ pointer: `/${name}`, detail: `is ${now[name]} now; the change that is to be undone made it ${after}` }));
    if (again.length > 0 && !force) return refused(409, 'changed_since', 'some of these settings have been changed again since', 'undo the later change first', again);
    return this.revise(Object.fromEntries(change.changes.map(({ name, before }) => [name, before])), { dryRun, reason, cause: 'undone', undoes: seq });
  }

  preset(name) {
    const kept = this.presets.get(name);
    return kept && { name, ...kept, is_live: Object.entries(kept.values).every(([field, value]) => this.values()[field] === value) };
  }

  settings(method, path, params, body, headers) {
    const dryRun = params.get('dry_run') === 'true';
    const reason = params.get('reason') ?? body.reason ?? '';
    const tag = headers['if-match'];
    if (method === 'GET' && path === '/form') return answer(200, { view: this.view(this.values()), etag: this.etag(), groups: this.groups, declared: FORM.declared, capacity: this.story.backlog.capacity() });
    if (method === 'GET' && path === '') return answer(200, this.values());
    if (method === 'GET' && path === '/history') {
      const limit = Number(params.get('limit') ?? 30);
      const older = this.changes.filter(({ seq }) => !params.has('cursor') || seq < Number(params.get('cursor')));
      const shown = older.slice(0, limit).map(({ before: _, after: __, ...change }) => change);
      return answer(200, { changes: shown, next_cursor: older.length > limit ? String(shown.at(-1).seq) : null });
    }
    if (method === 'PATCH' && path === '') {
      if (tag === undefined && !dryRun) return refused(428, 'if_match_missing', 'a change of settings says which settings it is a change of');
      if (tag !== undefined && tag !== '*' && tag !== this.etag()) return this.stale(tag);
      const errors = this.wrong(body);
      if (errors.length > 0) return refused(422, 'settings_invalid', `nothing was changed: ${errors.map(({ pointer }) => pointer.slice(1)).join(', ')} wrong`, '`pointsman settings` shows every setting with its bounds', errors);
      return this.revise(body, { dryRun, reason });
    }
    const undo = /^\/history\/([0-9]+)\/undo$/.exec(path);
    if (method === 'POST' && undo) return this.undo(Number(undo[1]), { dryRun, force: params.get('force') === 'true', reason });
    if (method === 'GET' && path === '/presets') return answer(200, { presets: [...this.presets.keys()].sort().map((name) => this.preset(name)) });
    const [, name, apply] = /^\/presets\/([^/]+)(\/apply)?$/.exec(path) ?? [];
    if (name === undefined) return undefined;
    if (method === 'PUT') {
      const errors = this.wrong(body.values ?? {}).map((error) => ({ ...error, pointer: `/values${error.pointer}` }));
      if (errors.length > 0) return refused(422, 'settings_invalid', 'nothing was saved', null, errors);
      this.presets.set(name, { note: body.note ?? '', values: body.values, actor: 'web', saved_at: this.story.at });
      return answer(200, this.preset(name));
    }
    if (!this.presets.has(name)) return refused(404, 'no_such_preset', `there is no preset '${name}'`);
    if (method === 'DELETE') return this.presets.delete(name) && answer(200, null);
    if (method === 'POST' && apply) {
      if (tag !== undefined && tag !== this.etag()) return this.stale(tag);
      return this.revise(this.presets.get(name).values, { dryRun, reason, cause: 'preset', preset: name });
    }
    return undefined;
  }

  // Health and evidence.

  health() {
    const { story } = this;
    const running = story.backlog.capacity().total;
    const part = (slug, label, status, text, fix = null) => ({ slug, label, status, text, fix });
    const components = [
      running > 0 ? part('worker', 'Worker', 'ok', `${running} runs are under way.`) : part('worker', 'Worker', 'idle', 'No run is under way.'),
      story.training.enabled ? part('scheduler', 'Scheduler', 'ok', 'The loop picks as soon as there is room.') : part('scheduler', 'Scheduler', 'idle', 'Training is off: nothing new is picked.'),
      story.active ? part('model_server', 'Model server', 'ok', `${story.active.tag} answers requests.`) : part('model_server', 'Model server', 'idle', 'There is no model yet.', '`pointsman train start` makes the first one.'),
      part('journal', 'Journal', 'ok', 'Every entry is on disk before it is told.'),
    ];
    return { view: this.view(components), status: 'ok', status_label: 'All is well', queue_depth: story.sources.length, components };
  }

  recent() {
    const latest = this.story.outcomes.filter((one) => one !== 'cancelled').slice(-100);
    const successes = latest.filter((one) => one === 'completed').length;
    return { successes, outcomes: latest.length, window: 100, percent: latest.length === 0 ? null : (successes / latest.length) * 100 };
  }

  pipeline() {
    const { story } = this;
    const queued = story.sources.filter((one) => one.lane === 'queue').length;
    const recent = this.recent();
    return [
      { slug: 'queued', label: 'Queued', count: queued, value: String(queued), detail: `+${story.sources.length - queued} curriculum` },
      { slug: 'executing', label: 'Executing', count: story.backlog.capacity().training, value: String(story.backlog.capacity().training), detail: 'of 1 cap' },
      { slug: 'success_rate', label: 'Success rate', count: recent.successes, value: recent.percent === null ? '-' : `${Math.round(recent.percent)} %`, detail: `${recent.successes}/${recent.outcomes} recent` },
      { slug: 'live_applies', label: 'Live applies', count: story.applies, value: String(story.applies), detail: 'model promotions' },
    ];
  }

  evaluation() {
    const gate = this.story.decisions.find((one) => one.kind === 'promotion-gate');
    if (!gate) return { at: null, result: 'none', reason: '', decision: null, retry_at: null };
    return { at: gate.at, result: 'completed', reason: gate.reasons[0].text, decision: gate.id, retry_at: null };
  }

  lastError() {
    const run = this.story.jobs.find((job) => job.status_slug === 'failed');
    return run ? { at: run.finished_at, class: 'run', code: run.failure_class, text: run.error, run: run.id, decision: null } : null;
  }

  snapshot() {
    const { story } = this;
    const job = story.jobs[0];
    const oldest = story.sources[0];
    const recent = this.recent();
    const state = story.dashboard();
    return {
      view: this.view('snapshot'),
      health: this.health(),
      heartbeat: { at: story.at, age_ms: 40, stale_after_ms: 15_000, stale: false },
      last_updated: story.at,
      promotion: state.window.state,
      promotion_label: state.window.state_label,
      latest_cycle: job ? { run: job.id, source: job.source, title: job.name, status_slug: job.status_slug, status_label: job.status_label, terminal: job.finished_at !== null, at: job.finished_at ?? job.started_at ?? job.created_at } : null,
      successes: story.successes(),
      next_eval_due: state.window.watermark + state.window.size,
      evaluation: this.evaluation(),
      last_error: this.lastError(),
      oldest_pending: oldest ? { source: oldest.id, title: oldest.title, queued_at: oldest.queuedAt, age_ms: story.at - oldest.queuedAt } : null,
      trace_coverage: { with_trace: recent.outcomes, outcomes: recent.outcomes, percent: recent.outcomes === 0 ? null : 100 },
      recent,
      pipeline: this.pipeline(),
    };
  }

  evidence(since) {
    const { story } = this;
    if (since > story.seq) return refused(422, 'bad_since', 'this baseline cannot be counted from', null, [{ pointer: '/since', detail: `the journal ends at ${story.seq}` }]);
    const share = (all) => Math.max(0, Math.round(all * (1 - since / Math.max(1, story.seq))));
    const counted = { successes_gained: 'run_finished of training runs, completed', outcomes_gained: 'run_finished of training runs, completed or failed', live_applies_gained: 'model_applied', rolled_back_gained: 'model_rolled_back', queue_consumed: 'run_finished of sources of the queue', decisions_gained: 'decided' };
    return answer(200, {
      view: this.view('evidence'),
      since,
      baseline_at: since === 0 ? null : story.startAt,
      outcomes_gained: share(story.outcomes.length),
      successes_gained: share(story.successes()),
      live_applies_gained: share(story.applies),
      rolled_back_gained: share(story.rolledBack),
      queue_consumed: share(40),
      decisions_gained: share(story.decisions.length),
      last_model_switch: this.switches[0]?.at ?? null,
      provenance: Object.entries(counted).map(([field, words]) => ({ field, counted: words })),
    });
  }

  // Promotion.

  promotion() {
    const { story } = this;
    const state = story.dashboard();
    const { size, done, remaining, watermark } = state.window;
    const stage = story.candidate?.stage ?? 'none';
    const phase = stage === 'watching' ? 'applied' : stage === 'none' ? (story.active ? 'collecting' : 'none') : stage;
    const roles = [['controller', 'Controller', 'Training continues from it.'], ['standard', 'Standard task', 'Standard requests are answered by it.']];
    const live = story.active?.tag ?? null;
    const retained = this.retained();
    const go = retained.filter(({ kept_for }) => kept_for.length === 0);
    const unused = retained.filter(({ kept_for }) => kept_for.every(({ slug }) => slug === 'newest' || slug === 'pinned'));
    return {
      view: this.view('promotion'),
      state: phase,
      state_label: state.window.state_label,
      phase: story.candidate ? `${story.candidate.tag} is compared with ${story.candidate.baseline}.` : 'The window collects successful outcomes.',
      next_action: state.next_action,
      worker: { status: stage === 'held' ? 'blocked' : story.candidate ? 'running' : 'idle', status_label: stage === 'held' ? 'Blocked' : story.candidate ? 'Running' : 'Idle', text: stage === 'held' ? `${story.candidate.tag} waits for a person.` : 'It goes on by itself.', fix: stage === 'held' ? `\`pointsman promotion approve ${story.candidate.tag}\`` : null },
      window: { ordinal: story.applies + story.rejected + 1, size, done, remaining, percent: (done / size) * 100, successes: story.successes(), watermark, delta: story.successes() - watermark, next_target: watermark + size, reached_at: this.ended?.at ?? null, interval_ms: 12_000, eta_at: remaining > 0 && story.training.enabled ? story.at + remaining * 12_000 : null, recent: this.recent() },
      evaluation: this.evaluation(),
      last_error: this.lastError(),
      hold: this.values().promotion_hold,
      roles: roles.map(([slug, label, text]) => ({ slug, label, text, tag: live, since: story.active?.live_since ?? null, answering: slug === 'standard' ? live : null, last_switch: this.switches[0] ?? null, live_applies: story.applies, last_apply_at: story.lastApply?.at ?? null })),
      live_applies: story.applies,
      last_apply: this.switches.find(({ cause }) => cause === 'applied') ?? null,
      last_switch: this.switches[0] ?? null,
      candidate_state: stage,
      candidate: state.candidate && this.candidateCard(state.candidate, story.candidate),
      ended: this.ended && this.endedCard(),
      routing: [live && { tag: live, slug: 'live', label: 'live', share: stage === 'canary' ? 0.75 : 1 }, story.candidate && { tag: story.candidate.tag, slug: 'candidate', label: 'candidate', share: stage === 'canary' ? 0.25 : null }, this.switches[0]?.before && { tag: this.switches[0].before, slug: 'rollback_target', label: 'comes back on a rollback', share: null }].filter(Boolean),
      unused: { count: unused.length, bytes: sum(unused), sample: unused.slice(0, 20) },
      retention: { keep: KEEP, installed: retained.length, installed_bytes: sum(retained), pinned: this.pins.size, prunable: go.length, prunable_bytes: sum(go), text: `The newest ${KEEP} models are kept besides those in use; older ones that nobody pinned may be pruned.` },
      outcomes: { outcomes: state.totals.outcomes, successes: state.totals.successes, failures: state.totals.failures, cancelled: 0, candidates: story.applies + story.rejected, rejected: story.rejected, rolled_back: story.rolledBack },
    };
  }

  candidateCard(card, { stage, baseline, heldFor }) {
    const served = (requests) => ({ requests, failed: 0, latency_ms: requests === 0 ? null : 4.2 });
    const decisions = this.story.decisions.filter((one) => one.kind === 'promotion-gate' && one.subject === `candidate ${card.tag}`);
    const delta = card.candidate_mean === null ? null : card.candidate_mean - card.baseline_mean;
    const half = 0.06;
    return {
      card,
      raised_seq: this.story.seq - 40,
      canary: { status: stage === 'canary' ? 'running' : stage === 'watching' ? 'passed' : 'none', status_label: stage === 'canary' ? 'Running' : stage === 'watching' ? 'Passed' : 'Not begun', have: stage === 'canary' ? card.pairs : null, wanted: stage === 'canary' ? card.pairs + 24 : null, cap: card.pairs_cap, share: 0.25, candidate: served(stage === 'canary' ? card.pairs : 0), baseline: served(stage === 'canary' ? card.pairs * 3 : 0) },
      quality: delta === null ? null : { candidate: card.candidate_mean, baseline: card.baseline_mean, delta, low: delta - half, high: delta + half, pairs: card.pairs, reading: delta + half < 0 ? 'better' : delta - half > 0 ? 'worse' : 'no_difference_shown', verdict: decisions[0]?.verdict ?? 'none' },
      decisions: decisions.slice(0, 20),
      decision_count: decisions.length,
      held: stage === 'held' ? { from: 'evaluate', cause: 'setting', cause_label: 'The gate accepts it, and candidates are held for a person', reason: `${card.tag} is better by the gate’s test; promotion_hold is on.`, since: this.story.at - 20_000, decision: heldFor, forbidden: null, approving: `${card.tag} goes on to its canary beside ${baseline}.`, rejecting: `${card.tag} is never raised again.` } : null,
      ended: null,
    };
  }

  endedCard() {
    const { candidate, end, at, decision } = this.ended;
    const mean = (of) => candidate.hosts.reduce((all, one) => all + of(one), 0) / Math.max(1, candidate.hosts.length);
    const measured = candidate.hosts.length > 0;
    const { tag, baseline, stage, stage_label, since, looks, pairs, hosts, latest_reason, latest_decision } = candidate;
    const card = { tag, baseline, stage, stage_label, since, looks, pairs, pairs_cap: 120, baseline_mean: measured ? mean((one) => one.baseline) : null, candidate_mean: measured ? mean((one) => one.candidate) : null, hosts, latest_reason, latest_decision };
    return { ...this.candidateCard(card, candidate), held: null, ended: { end, end_label: { kept: 'Kept', rejected: 'Rejected', rolled_back: 'Rolled back' }[end], at, reason: latest_reason, decision, actor: decision === null ? 'web' : null } };
  }

  retained() {
    const { story } = this;
    const used = new Map([[story.active?.tag, ['live', 'live']], [story.candidate?.tag, ['candidate', 'candidate']], [story.candidate?.baseline, ['baseline', 'baseline']], [this.switches[0]?.before, ['rollback_target', 'comes back on a rollback']]]);
    const made = story.jobs.filter((job) => job.model && !this.retired.has(job.model));
    return made.map((job, at) => {
      const kept_for = [];
      if (used.has(job.model)) kept_for.push({ slug: used.get(job.model)[0], label: used.get(job.model)[1] });
      if (this.pins.has(job.model)) kept_for.push({ slug: 'pinned', label: 'pinned' });
      if (at < KEEP) kept_for.push({ slug: 'newest', label: 'among the newest' });
      return { tag: job.model, bytes: 412_000, made_at: job.finished_at, host: job.host, kept_for, pinned: this.pins.get(job.model) ?? null };
    });
  }

  plan() {
    const all = this.retained();
    const go = all.filter(({ kept_for }) => kept_for.length === 0).reverse();
    const stay = all.filter(({ kept_for }) => kept_for.length > 0);
    return { view: this.view('plan'), keep: KEEP, plan: hash(go.map(({ tag }) => tag).join()).padEnd(64, '0'), go, go_count: go.length, go_bytes: sum(go), stay, stay_count: stay.length, stay_bytes: sum(stay) };
  }

  liveAt(at) {
    if (at > this.story.at + 60_000) return refused(422, 'bad_time', 'this time cannot be told about', null, [{ pointer: '/at', detail: 'is not over yet: nobody knows what will be live then' }]);
    const index = this.switches.findIndex((one) => one.at <= at);
    const change = this.switches[index] ?? null;
    const until = index > 0 ? this.switches[index - 1].at : null;
    const why = change === null ? 'There was no model yet.' : change.before === null ? `${change.model} was the first model.` : `${change.model} went live instead of ${change.before}.`;
    return answer(200, { at, roles: [['controller', 'Controller'], ['standard', 'Standard task']].map(([role, role_label]) => ({ role, role_label, change, until, why })) });
  }

  /** The gate would let the candidate pass, and a person has to say so. */
  hold() {
    const { story } = this;
    if (!story.candidate) story.raise();
    const gate = story.decisions.find((one) => one.kind === 'promotion-gate');
    Object.assign(story.candidate, { stage: 'held', stage_label: 'Held for a person at evaluate', heldFor: gate?.id ?? 1, latest_decision: gate?.id ?? null, hosts: story.active.hosts.map(({ host, bits }, at) => ({ host, baseline: bits, candidate: bits - 0.1 + 0.02 * at, pairs: 12 })), pairs: 72, looks: 3, latest_reason: 'e-value 24.1 passes 20' });
    story.seq += 1;
  }

  decide(tag, approve, { decision }) {
    const { story } = this;
    const held = story.candidate;
    if (held?.stage !== 'held' || held.tag !== tag) return refused(404, 'candidate_not_held', `${tag} is not held`);
    if (decision !== undefined && decision !== held.heldFor) return refused(409, 'hold_changed', `${tag} is held with decision ${held.heldFor} by now`);
    story.seq += 1;
    if (approve) Object.assign(held, { stage: 'canary', stage_label: 'Canary: answers 25 % of requests', looks: 0, pairs: 0, wait: 14 });
    else {
      this.over(held, 'rejected', null);
      story.rejected += 1;
      story.candidate = null;
    }
    return answer(200, {});
  }

  answer(method, path, params, body, headers) {
    if (path === '/api/v1/settings' || path.startsWith('/api/v1/settings/')) return this.settings(method, path.slice('/api/v1/settings'.length), params, body, headers);
    const [, tag, verb] = /^\/api\/v1\/models\/([^/]+)\/(approve|reject|pin|unpin)$/.exec(path) ?? [];
    if (method === 'POST' && tag) {
      if (verb === 'approve' || verb === 'reject') return this.decide(tag, verb === 'approve', body);
      if (verb === 'pin') this.pins.set(tag, `pinned by web: ${body.reason}`);
      else this.pins.delete(tag);
      this.story.seq += 1;
      return answer(200, {});
    }
    switch (`${method} ${path}`) {
      case 'POST /api/v1/promotion/approve':
      case 'POST /api/v1/promotion/reject':
        return this.decide(body.candidate, path.endsWith('approve'), body);
      case 'GET /api/v1/health':
        return answer(200, this.health());
      case 'GET /api/v1/snapshot':
        return answer(200, this.snapshot());
      case 'GET /api/v1/pipeline':
        return answer(200, { view: this.view('pipeline'), stages: this.pipeline() });
      case 'GET /api/v1/evidence':
        return this.evidence(Number(params.get('since')));
      case 'GET /api/v1/help':
        return answer(200, { fields: Object.entries(HELP).map(([name, help]) => ({ name, help, kind: 'number' })) });
      case 'GET /api/v1/promotion':
        return answer(200, this.promotion());
      case 'GET /api/v1/models/prune':
        return answer(200, this.plan());
      case 'POST /api/v1/models/prune': {
        const plan = this.plan();
        if (body.plan && body.plan !== plan.plan) return refused(409, 'prune_changed', 'other models would go by now');
        plan.go.forEach(({ tag }) => this.retired.add(tag));
        this.story.seq += 1;
        return answer(200, { models: plan.go.map(({ tag }) => tag), bytes: plan.go_bytes });
      }
      case 'GET /api/v1/models/live-at':
        return this.liveAt(Number(params.get('at')));
      case 'POST /mock/hold':
        this.hold();
        return answer(200, {});
      default:
        return undefined;
    }
  }
}

function answer(status, body) {
  return { status, body };
}

function refused(status, code, detail, fix = null, errors = []) {
  return { status, problem: [code, detail, detail, fix, errors] };
}

function sum(models) {
  return models.reduce((all, { bytes }) => all + bytes, 0);
}

/** Enough to tell two texts apart. */
function hash(text) {
  let state = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) state = Math.imul(state ^ text.charCodeAt(at), 0x01000193);
  return (state >>> 0).toString(16).padStart(8, '0') + text.length.toString(16).padStart(8, '0');
}
