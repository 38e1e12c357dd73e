/**
 * A made-up host that trains, decides and promotes: the life that a real one shows, without one. The same seed tells the
 * same story. Nothing here is used by the product; the dashboard is developed and tested against it.
 */

import { Control } from './control.mjs';
import { Learning } from './learning.mjs';
import { Desk, NO_TRIALS } from './policies.mjs';
import { Backlog } from './queue.mjs';

const HOSTS = ['novel', 'speeches', 'recipes', 'minutes', 'ledger', 'weather'];
const KINDS = ['source-selection', 'retry', 'promotion-gate', 'curriculum'];
const WINDOW = 8;
const RUN_STEPS = 240;
const PAIRS_CAP = 120;

export class Story {
  constructor({ seed = 7, scene = 'busy', startAt = Date.now(), tickMs = 200 } = {}) {
    this.random = mulberry(seed);
    this.tickMs = tickMs;
    this.at = startAt - (scene === 'busy' ? 3000 * tickMs : 0);
    this.startAt = this.at;
    this.epoch = `mock-${seed}-${startAt}`;
    this.seq = 1;
    this.scene = scene;
    this.training = { enabled: scene === 'busy', by: 'host', reason: 'first start', since: this.at };
    this.sources = [];
    this.nextSource = 1;
    this.jobs = [];
    this.points = new Map();
    this.logs = new Map();
    this.decisions = [];
    this.details = new Map();
    this.outcomes = [];
    this.applies = 0;
    this.rejected = 0;
    this.rolledBack = 0;
    this.swaps = 0;
    this.answered = 0;
    this.watermark = 0;
    this.candidate = null;
    this.lastApply = null;
    this.nextModel = 1;
    this.newest = null;
    this.active = null;
    this.base = Object.fromEntries(HOSTS.map((host, at) => [host, 5.6 + 0.35 * Math.sin(at * 2.1)]));
    this.samples = [];
    this.alerts = [];
    this.policies = KINDS.map((kind, at) => ({
      kind,
      generation: 1,
      name: ['fair-share', 'backoff', 'betting-gate', 'learning-progress'][at],
      version: '1.0.0',
      digest: hex(this.random),
      engine: ['component', 'rhai', 'component', 'rhai'][at],
      summary: [
        'Queue first; then the host that has waited longest, weighted by success history.',
        'Capped exponential backoff with jitter; gives up on the third identical error.',
        'Anytime-valid betting test on paired differences; inconclusive is an answer.',
        'Practises what the model learns fastest, with a floor for everything else.',
      ][at],
      since_seq: 1,
      since: this.at,
      actor: 'file-watch',
      reason: 'found in policies/',
      decisions: 0,
      faults: 0,
      previous: null,
      problem: null,
      ...structuredClone(NO_TRIALS),
    }));
    this.backlog = new Backlog(this);
    this.control = new Control(this);
    this.learning = new Learning(this, scene);
    this.desk = new Desk(this, () => hex(this.random));
    if (scene === 'busy') {
      this.queue('Letters, volume 2', 'novel', 'cli');
      this.queue('Harvest minutes 1911', 'minutes', 'ui');
      this.queue('Bread and soups', 'recipes', 'campaign');
      for (let n = 0; n < 3000; n++) this.tick();
      this.swap('retry', '1.1.0', 'longer pauses for infra faults');
      this.refuse('retry');
      this.desk.trials();
      this.backlog.scene();
      this.samples = [];
    }
  }

  // What happens by itself.

  tick() {
    this.at += this.tickMs;
    this.desk.tick();
    const running = this.jobs.find((job) => job.status_slug === 'running' || job.status_slug === 'warming');
    if (running) this.train(running);
    else if (this.training.enabled) this.pick();
    if (this.candidate) this.judge();
    else if (this.successes() - this.watermark >= WINDOW && this.newest && this.newest !== this.active?.tag) this.raise();
    for (const source of this.sources) if (source.until && source.until <= this.at) source.until = null;
    if (this.active && this.random() < 0.3) this.answered += 1;
  }

  pick() {
    const pending = this.sources.filter((source) => !source.until && this.backlog.mayPick(source));
    if (pending.length === 0) {
      this.plant();
      return;
    }
    const hosts = [...new Set(pending.map((source) => source.host))];
    const scored = pending.map((source) => {
      const wait = (this.at - source.queuedAt) / 10_000;
      const lane = (source.lane === 'queue' ? 2 : 0) + source.priority;
      const fresh = this.jobs.slice(0, 3).some((job) => job.host === source.host) ? -0.8 : 0.4;
      return { source, terms: [lane, round(wait), fresh, round(this.random() * 0.1)] };
    });
    const totals = scored.map(({ terms }) => round(terms.reduce((sum, term) => sum + term, 0)));
    const best = totals.indexOf(Math.max(...totals));
    const { source } = scored[best];
    const fault = this.random() < 0.06;
    const decision = this.decide({
      kind: 'source-selection',
      verdict: { selection: fault ? { pick: [0] } : { pick: [best] } },
      word: 'pick',
      summary: `picks #${source.id} ${source.host}`,
      subject: 'selection',
      reasons: [
        { code: 'waited_longest', text: `${source.host} has waited longest among ${pending.length}`, feature: 'age_s', value: round((this.at - source.queuedAt) / 1000), threshold: null, margin: null },
        { code: 'host_diverse', text: 'not among the latest 3 hosts', feature: 'recent_hosts', value: 0, threshold: 3, margin: null },
      ],
      scores: { totals, term_names: ['lane', 'waited', 'diverse', 'jitter'], terms: scored.flatMap(({ terms }) => terms), rules: ['host lock', 'same-host cap'], blocked: pending.length > 2 ? [{ candidate: pending.length - 1, rule: 1 }] : [] },
      context: {
        selection: {
          frame: this.frame(),
          free: 1,
          lane_mode: 'hybrid',
          curriculum_fallback: true,
          lock: null,
          same_host_cap: 1,
          hosts,
          campaigns: [],
          host_loads: hosts.map(() => ({ running: 0, pending: 1, successes: 4, failures: 1, since_picked_s: 42.5 })),
          recent_hosts: [],
          candidates: pending.map((one) => ({ id: one.id, lane: one.lane, origin: one.origin, host: hosts.indexOf(one.host), campaign: null, row: 0, age_s: round((this.at - one.queuedAt) / 1000), attempts: one.attempts, failures: { infra: one.attempts, preempted: 0, timeout: 0, transient: 0, deterministic: 0, crash: 0, policy: 0 }, difficulty: 0.5, priority: one.priority })),
          left_out: 0,
        },
      },
      fault: fault ? { class: 'fuel', detail: 'out of fuel after 100,000,000 units in decide' } : null,
    });
    this.sources.splice(this.sources.indexOf(source), 1);
    source.attempts += 1;
    const id = (this.jobs[0]?.id ?? 0) + 1;
    this.jobs.unshift({
      id,
      name: source.title,
      class: 'training',
      host: source.host,
      source: source.id,
      attempt: source.attempts,
      status_slug: 'warming',
      status_label: 'Warming up',
      created_at: this.at,
      started_at: null,
      finished_at: null,
      steps: null,
      loss: null,
      model: null,
      base: this.newest,
      error: null,
      failure_class: null,
      decision,
    });
    this.points.set(id, []);
    this.logs.set(id, [`attempt ${source.attempts} of source ${source.id}`, `base model ${this.newest ?? 'none'}`, `corpus ${source.host}: 412,380 bytes`]);
    this.origin = source;
    this.step = 0;
    this.dies = this.random() < 0.16 ? 40 + Math.floor(this.random() * 160) : null;
    this.seq += 2;
  }

  train(job) {
    if (job.status_slug === 'warming') {
      if (++this.step < 4) return;
      this.step = 0;
      this.set(job, { status_slug: 'running', status_label: 'Running', started_at: this.at });
      this.seq += 1;
      return;
    }
    if (job.cancelled) {
      this.end(job, { status_slug: 'cancelled', status_label: 'Cancelled', error: `cancelled by web: ${job.cancelled}` });
      return;
    }
    this.step += 5;
    const target = this.base[job.host] - 0.12;
    const loss = round(target + 1.1 * Math.exp(-this.step / 60) + 0.16 * (this.random() - 0.5));
    const heldOut = this.step % 40 === 0 || this.step === 5 ? round(target + 0.08 + 1.05 * Math.exp(-this.step / 66) + 0.02 * this.random()) : null;
    const point = [this.step, loss, heldOut];
    this.points.get(job.id).push(point);
    this.samples.push({ run: job.id, points: [point] });
    if (heldOut !== null) this.logs.get(job.id).push(`step ${this.step} loss ${loss.toFixed(4)} eval ${heldOut.toFixed(4)} lr 1.0e-3`);
    if (this.step % 20 === 0) {
      this.set(job, { steps: this.step, loss });
      this.seq += 1;
    }
    if (this.dies !== null && this.step >= this.dies) {
      const error = this.random() < 0.5 ? 'worker lost: connection reset by peer after 3 heartbeats' : `loss became NaN at step ${this.step}; last finite value ${loss}`;
      this.end(job, { status_slug: 'failed', status_label: 'Failed', error, failure_class: error.startsWith('worker') ? 'infra' : 'deterministic', steps: this.step, loss });
      this.logs.get(job.id).push(`error: ${error}`);
      this.retry(job);
    } else if (this.step >= RUN_STEPS) {
      const tag = `m-${this.nextModel++}`;
      this.base[job.host] -= 0.035 * this.random();
      for (const host of HOSTS) this.base[host] -= 0.006 * (this.random() - 0.3);
      this.end(job, { status_slug: 'completed', status_label: 'Completed', steps: this.step, loss, model: tag });
      this.newest = tag;
      this.logs.get(job.id).push(`saved checkpoint ${tag}`);
      if (this.active === null) this.control.switched(tag, null, 'bootstrapped');
      this.active ??= { tag, digest: hex(this.random), parent: null, live_since: this.at, hosts: this.measure(0), answered: 0 };
    }
  }

  end(job, change) {
    this.set(job, { ...change, finished_at: this.at });
    this.outcomes.push(change.status_slug);
    this.seq += 1;
  }

  retry(job) {
    const attempts = job.attempt;
    const gone = attempts >= 3 || job.failure_class === 'deterministic';
    const pause = 4_000 * 2 ** attempts;
    this.decide({
      kind: 'retry',
      verdict: { retry: gone ? 'give_up' : { retry: pause } },
      word: gone ? 'give_up' : 'retry',
      summary: gone ? `gives up on #${job.source}` : `tries #${job.source} again in ${pause / 1000} s`,
      subject: `run ${job.id}`,
      reasons: [
        gone
          ? { code: 'same_error', text: 'the same error would come again', feature: 'class', value: null, threshold: null, margin: null }
          : { code: 'backoff', text: `attempt ${attempts} of 3 failed on infrastructure`, feature: 'failures.infra', value: attempts, threshold: 3, margin: attempts - 3 },
      ],
      context: { retry: { frame: this.frame(), source: job.source, run: job.id, title: job.name, lane: 'queue', origin: 'cli', host: job.host, attempt: attempts, class: job.failure_class, failures: { infra: attempts, preempted: 0, timeout: 0, transient: 0, deterministic: 0, crash: 0, policy: 0 }, budget: 3, budget_left: 3 - attempts, exit_code: 1, error: job.error, error_digest: 8812763341, same_error_before: 0, elapsed_ms: this.at - job.created_at, host_successes: 4, host_failures: 1 } },
    });
    if (!gone) this.sources.push({ ...this.origin, until: this.at + pause });
    this.seq += 1;
  }

  plant() {
    if (this.plantedAt && this.at - this.plantedAt < 2_000) return;
    this.plantedAt = this.at;
    const seeds = [0, 1].map(() => Math.floor(this.random() * HOSTS.length));
    const totals = HOSTS.map(() => round(this.random()));
    this.decide({
      kind: 'curriculum',
      verdict: { curriculum: { plant: seeds.map((host) => ({ host, steps: RUN_STEPS, learning_rate: 0.001, replay_share: 0.5 })) } },
      word: 'plant',
      summary: `seeds ${seeds.map((at) => HOSTS[at]).join(' and ')}`,
      subject: 'curriculum',
      reasons: [{ code: 'progress', text: `${HOSTS[seeds[0]]} falls fastest per run`, feature: 'progress', value: round(this.random() * 0.1), threshold: 0.02, margin: round(this.random() * 0.08) }],
      scores: { totals, term_names: ['progress', 'staleness', 'floor'], terms: totals.flatMap((total) => [round(total * 0.6), round(total * 0.3), round(total * 0.1)]), rules: ['parked'], blocked: [] },
      distribution: totals.map((total) => round(total / totals.reduce((sum, one) => sum + one, 0))),
      context: { curriculum: { frame: this.frame(), budget: 4, pending_queue: 0, pending_curriculum: 0, hosts: HOSTS, skills: HOSTS.map((host) => ({ tries: 5, successes: 4, failures: 1, pending: 0, loss: round(this.base[host]), loss_before: null, loss_after: null, progress: 0.031, stale_s: 52.5, parked: false })) } },
    });
    for (const at of seeds) this.queue(`practise ${HOSTS[at]}`, HOSTS[at], 'curriculum');
  }

  raise() {
    this.watermark = this.successes();
    this.candidate = { tag: this.newest, baseline: this.active.tag, stage: 'evaluating', stage_label: 'Evaluating on held-out text', since: this.at, looks: 0, pairs: 0, hosts: [], latest_reason: '', latest_decision: null, wait: 14, good: this.random() < 0.75 };
    this.seq += 1;
  }

  judge() {
    const candidate = this.candidate;
    if (candidate.stage === 'held' || candidate.wait-- > 0) return;
    candidate.wait = 14;
    candidate.looks += 1;
    candidate.pairs = Math.min(PAIRS_CAP, candidate.pairs + 24);
    candidate.hosts = this.active.hosts.map(({ host, bits }, at) => ({ host, baseline: bits, candidate: round(bits + (candidate.good ? -0.11 : 0.02) + 0.09 * Math.sin(at * 3 + this.nextModel) + 0.02 * this.random()), pairs: Math.floor(candidate.pairs / HOSTS.length) }));
    const e = round((candidate.good ? 1.9 : 0.7) ** candidate.looks * (0.8 + 0.4 * this.random()));
    const done = e > 20 || candidate.pairs >= PAIRS_CAP;
    const passes = candidate.good;
    const word = !done ? 'need_more' : passes ? 'advance' : 'reject';
    const text = !done
      ? `e-value ${e.toFixed(2)} of 20 after ${candidate.pairs} pairs: not yet sure either way`
      : passes
        ? `e-value ${e.toFixed(1)} passes 20: better by ${mean(candidate.hosts.map((one) => one.baseline - one.candidate)).toFixed(3)} bits per byte`
        : `no gain after ${candidate.pairs} pairs, the most this stage may collect`;
    const id = this.decide({
      kind: 'promotion-gate',
      verdict: { gate: !done ? { need_more: 24 } : word },
      word,
      summary: !done ? `wants 24 more pairs of ${candidate.tag}` : passes ? `lets ${candidate.tag} advance` : `rejects ${candidate.tag}`,
      subject: `candidate ${candidate.tag}`,
      reasons: [
        { code: 'e_value', text, feature: 'e_value', value: e, threshold: 20, margin: round(e - 20) },
        { code: 'pairs', text: `${candidate.pairs} of at most ${PAIRS_CAP} pairs`, feature: 'n', value: candidate.pairs, threshold: PAIRS_CAP, margin: candidate.pairs - PAIRS_CAP },
      ],
      context: { gate: { frame: this.frame(), stage: candidate.stage === 'watching' ? 'watch' : candidate.stage === 'canary' ? 'canary' : 'evaluate', candidate: candidate.tag, baseline: candidate.baseline, hosts: HOSTS, pairs: Array.from({ length: candidate.pairs }, (_, at) => ({ host: at % HOSTS.length, baseline: round(5.4 + this.random()), candidate: round(5.3 + this.random()) })), guardrails: [{ name: 'errors', baseline_n: 80, baseline_mean: 0, candidate_n: 24, candidate_mean: 0, limit: 0.02 }], looks: candidate.looks, cap: PAIRS_CAP, ingest_lag: 0 } },
    });
    candidate.latest_reason = text;
    candidate.latest_decision = id;
    this.seq += 1;
    if (!done) return;
    if (!passes) {
      this.rejected += 1;
      this.control.over(candidate, 'rejected', id);
      this.candidate = null;
    } else if (candidate.stage === 'evaluating') {
      Object.assign(candidate, { stage: 'canary', stage_label: 'Canary: answers 25 % of requests', looks: 0, pairs: 0 });
    } else if (candidate.stage === 'canary') {
      const before = mean(this.active.hosts.map((one) => one.bits));
      this.lastApply = { at: this.at, model: candidate.tag, before: candidate.baseline, bits_before: round(before), bits_after: round(mean(candidate.hosts.map((one) => one.candidate))), decision: id };
      this.active = { tag: candidate.tag, digest: hex(this.random), parent: candidate.baseline, live_since: this.at, hosts: candidate.hosts.map(({ host, candidate }) => ({ host, bits: candidate })), answered: 0 };
      this.applies += 1;
      this.control.switched(candidate.tag, candidate.baseline, 'applied', id);
      Object.assign(candidate, { stage: 'watching', stage_label: 'Live, and watched', looks: 0, pairs: 0 });
    } else {
      this.control.over(candidate, 'kept', id);
      this.candidate = null;
    }
  }

  // What people do.

  queue(title, host, origin, priority = 0) {
    const source = { id: this.nextSource++, title, host: host ?? HOSTS[Math.floor(this.random() * HOSTS.length)], lane: origin === 'curriculum' ? 'curriculum' : 'queue', origin, priority, queuedAt: this.at, attempts: 0, until: null };
    this.sources.push(source);
    this.backlog.added(source);
    this.seq += 1;
    return source;
  }

  setTraining(enabled, reason) {
    this.training = { enabled, by: 'web', reason, since: this.at };
    this.seq += 1;
  }

  cancel(id, reason) {
    const job = this.jobs.find((one) => one.id === id);
    if (!job || job.finished_at !== null) return false;
    job.cancelled = reason;
    this.seq += 1;
    return true;
  }

  swap(kind, version, reason, actor = 'cli', change = {}, settings = undefined, rolledBack = false) {
    const at = this.policies.findIndex((one) => one.kind === kind);
    const old = this.policies[at];
    this.seq += 1;
    this.swaps += 1;
    const last = this.decisions[0]?.id ?? null;
    this.policies[at] = { ...old, generation: old.generation + 1, version, digest: hex(this.random), previous: `${old.name}@${old.version}`, since: this.at, since_seq: this.seq, since_decision: last, actor, reason, decisions: 0, faults: 0, problem: null, confirm_by: null, set: null, ...change };
    this.desk.activated(this.policies[at], rolledBack, settings);
  }

  rollBack(kind, reason) {
    const policy = this.policies.find((one) => one.kind === kind);
    if (!policy?.previous) return false;
    const before = this.desk.find(policy.previous);
    const { name, version, digest, engine, settings } = before;
    this.swap(kind, version, reason, 'web', { name, digest, engine }, settings, true);
    return true;
  }

  refuse(kind) {
    const at = this.policies.findIndex((one) => one.kind === kind);
    this.policies[at] = {
      ...this.policies[at],
      problem: { code: 'PM2104', stage: 'compile', file: `policies/${this.policies[at].name}.rhai`, line: 12, column: 9, message: '`backof_ms` is not a field of a retry decision', fix: 'Write `backoff_ms`, the nearest name. More: pointsman policy explain PM2104' },
    };
    this.seq += 1;
  }

  rollBackModel() {
    if (!this.lastApply) return false;
    const { model, before } = this.lastApply;
    this.lastApply = { at: this.at, model: before, before: model, bits_before: this.lastApply.bits_after, bits_after: this.lastApply.bits_before, decision: null };
    this.active = { ...this.active, tag: before, live_since: this.at };
    this.rolledBack += 1;
    this.candidate = null;
    this.seq += 1;
    this.control.switched(before, model, 'rolled_back', null, 'by hand');
    return true;
  }

  // What is told.

  dashboard() {
    const running = this.jobs.filter((job) => job.status_slug === 'running' || job.status_slug === 'warming').length;
    const slug = this.training.enabled ? 'running' : running > 0 ? 'draining' : 'stopped';
    const queue = this.sources.filter((source) => source.lane === 'queue').length;
    const done = Math.min(WINDOW, this.successes() - this.watermark);
    const latest = this.outcomes.slice(-100);
    const alerts = [...this.alerts];
    const refused = this.policies.find((policy) => policy.problem);
    if (refused) alerts.push({ level: 'warning', code: 'PM2104', text: `A new file for ${refused.kind} was refused; ${refused.name}@${refused.version} goes on serving`, fix: 'See the policy’s card for the line and the cure' });
    return structuredClone({
      seq: this.seq,
      at: this.at,
      view: { fingerprint: `mock-${this.seq}`, seq: this.seq, generated_at: this.at, age_ms: 0, ttl_ms: 5_000 },
      version: '0.1.0',
      capacity: this.backlog.capacity(),
      queue: this.backlog.summary().queue,
      training: { slug, label: { running: 'Training', draining: 'Stopping', stopped: 'Stopped' }[slug], enabled: this.training.enabled, running, cap: 1, by: this.training.by, reason: this.training.reason, since: this.training.since },
      pipeline: [
        { slug: 'queue', label: 'Queue', count: this.sources.length, detail: `${queue} queued, ${this.sources.length - queue} curriculum` },
        { slug: 'execute', label: 'Execute', count: running, detail: this.jobs.length > 0 && running ? `run ${this.jobs[0].id} on ${this.jobs[0].host}` : 'no run under way' },
        { slug: 'outcome', label: 'Outcome', count: this.outcomes.length, detail: `${this.successes()} well, ${this.outcomes.length - this.successes()} not` },
        { slug: 'promotion', label: 'Promotion', count: this.applies, detail: this.candidate ? `${this.candidate.tag} ${this.candidate.stage}` : 'live applies' },
      ],
      window: { size: WINDOW, done, remaining: WINDOW - done, watermark: this.watermark, state: this.candidate ? this.candidate.stage : 'collecting', state_label: this.candidate ? this.candidate.stage_label : 'Collecting successes' },
      totals: { outcomes: this.outcomes.length, successes: this.successes(), failures: this.outcomes.filter((one) => one === 'failed').length, recent_successes: latest.filter((one) => one === 'completed').length, recent_outcomes: latest.length, live_applies: this.applies, rejected: this.rejected, rolled_back: this.rolledBack, decisions: this.decisions.length, fallbacks: this.decisions.filter((one) => one.declined.length > 0).length, swaps: this.swaps },
      active: this.active && { ...this.active, answered: this.answered, mean: round(mean(this.active.hosts.map((one) => one.bits))) },
      candidate: this.candidate && { tag: this.candidate.tag, baseline: this.candidate.baseline, stage: this.candidate.stage, stage_label: this.candidate.stage_label, since: this.candidate.since, looks: this.candidate.looks, pairs: this.candidate.pairs, pairs_cap: PAIRS_CAP, baseline_mean: round(mean(this.active.hosts.map((one) => one.bits))), candidate_mean: this.candidate.hosts.length ? round(mean(this.candidate.hosts.map((one) => one.candidate))) : null, hosts: this.candidate.hosts, latest_reason: this.candidate.latest_reason, latest_decision: this.candidate.latest_decision },
      last_apply: this.lastApply,
      policies: this.policies,
      swaps: this.desk.told(),
      jobs: this.jobs.slice(0, 30).map(({ cancelled: _, ...job }) => job),
      decisions: this.decisions.slice(0, 50),
      next_action: this.nextAction(running),
      alerts,
    });
  }

  nextAction(running) {
    if (!this.training.enabled) return running ? 'The run under way ends by itself; then nothing more is picked' : 'Nothing until training is started';
    if (this.candidate?.stage === 'watching') return `The gate watches ${this.candidate.tag} in service and brings ${this.candidate.baseline} back if it is worse`;
    if (this.candidate) return `The gate looks at ${this.candidate.tag} again after 24 more pairs`;
    const remaining = WINDOW - (this.successes() - this.watermark);
    return remaining > 0 ? `${remaining} more successes, then ${this.newest ?? 'the newest model'} is evaluated` : 'The newest model is evaluated';
  }

  detail(id) {
    const row = this.jobs.find((job) => job.id === id);
    if (!row) return null;
    const { cancelled: _, ...plain } = row;
    return { row: plain, points: this.points.get(id) ?? [], log: (this.logs.get(id) ?? []).slice(-200), artifacts: row.model ? [`models/${row.model}/weights.bin`, `models/${row.model}/model.json`] : [], memory: this.learning.given(row) };
  }

  takeSamples() {
    const samples = this.samples;
    this.samples = [];
    return samples;
  }

  // Small parts.

  set(job, change) {
    Object.assign(job, change);
  }

  successes() {
    return this.outcomes.filter((one) => one === 'completed').length;
  }

  measure(shift) {
    return HOSTS.map((host) => ({ host, bits: round(this.base[host] + shift) }));
  }

  frame() {
    return { now_ms: this.at, seed: Math.floor(this.random() * 1e9), settings: [{ name: 'floor_share', value: { number: 0.15 } }], state: [] };
  }

  decide({ kind, verdict, word, summary, subject, reasons, scores = null, distribution = [], context, fault = null }) {
    const policy = this.policies.find((one) => one.kind === kind);
    const name = `${policy.name}@${policy.version}`;
    const id = this.decisions.length + 1;
    policy.decisions += 1;
    if (fault) policy.faults += 1;
    this.seq += 1;
    const micros = 20 + Math.floor(this.random() * 60) + (policy.engine === 'rhai' ? 210 : 0);
    const row = {
      id,
      seq: this.seq,
      at: this.at,
      kind,
      verdict: word,
      summary,
      subject,
      reasons,
      policy: fault ? `built-in-${kind}@0.1.0` : name,
      digest: hex(this.random),
      engine: fault ? 'built-in' : policy.engine === 'rhai' ? 'rhai 1.27 in wasmtime 48' : 'wasmtime 48',
      generation: policy.generation,
      link: fault ? 'built_in' : 'active',
      fuel: fault ? null : 40_000 + Math.floor(this.random() * 900_000),
      micros: fault ? 3 : micros,
      declined: fault ? [{ link: 'active', policy: name, ...fault }] : [],
    };
    this.decisions.unshift(row);
    this.details.set(id, { row, context, ruling: { verdict, advice: { reasons, scores, distribution, state: null, suggestions: [], extras: [] }, link: row.link, policy: { name: policy.name, version: policy.version, digest: row.digest, engine: policy.engine }, engine: row.engine, cost: { fuel: row.fuel, micros: row.micros }, declined: row.declined }, context_digest: hex(this.random) });
    return id;
  }
}

function round(value) {
  return Math.round(value * 10_000) / 10_000;
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function hex(random) {
  return Array.from({ length: 64 }, () => '0123456789abcdef'[Math.floor(random() * 16)]).join('');
}

/** A small generator with a seed. */
function mulberry(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
