/** The policies' part of the made-up host: versions on record, swaps that go through their stages, trials, pins. */

import { createHash } from 'node:crypto';
import { caseOf, definitions, dryRun, flips, refusal, value, verified, verify } from './proofs.mjs';

const STAGES = [
  ['fetch', 'Fetch'],
  ['digest', 'Digest'],
  ['signature', 'Signature'],
  ['parse', 'Parse'],
  ['compile', 'Compile'],
  ['link', 'Link'],
  ['describe', 'Describe'],
  ['settings', 'Settings'],
  ['self_test', 'Self-test'],
  ['replay', 'Replay of recorded decisions'],
  ['state', 'State rehearsed'],
  ['shadow', 'Shadow'],
  ['activate', 'Activate'],
  ['drain', 'Drain'],
  ['retire', 'Retire'],
];
const REPLAYED = 200;
const SWAPS_MAX = 20;
const SETTINGS = [
  { name: 'base_s', help: 'Seconds before the first retry.', value: 2, default: 2, minimum: 0.1, maximum: 3600 },
  { name: 'factor', help: 'By how much each further wait is longer.', value: 2, default: 2, minimum: 1, maximum: 10 },
  { name: 'cap_s', help: 'Longest wait in seconds.', value: 120, default: 300, minimum: 0.1, maximum: 604_800 },
  { name: 'once_more', help: 'Whether a deterministic failure gets one more try.', value: false, default: false, minimum: null, maximum: null },
  { name: 'label', help: 'Written into each reason.', value: 'mock', default: 'mock', minimum: null, maximum: null },
];

export class Desk {
  constructor(story, hex) {
    this.story = story;
    this.hex = hex;
    this.versions = [];
    this.activations = [];
    this.swaps = [];
    this.nextSwap = 1;
    /** What was uploaded, by digest: code is read back as it was given. */
    this.texts = new Map();
    /** How long a step of a dry run takes. */
    this.stepMs = 40;
    for (const policy of story.policies) this.activated(policy, false);
  }

  /** Puts what has become active on record. */
  activated(policy, rolledBack, settings = SETTINGS) {
    const { kind, name, version, digest, engine } = policy;
    if (!this.versions.some((one) => one.digest === digest)) {
      this.versions.unshift({ name, version, kind, engine, digest, code_digest: this.hex(), code_bytes: engine === 'component' ? 184_320 : script(policy).length, first_seen: this.story.at, signed_by: policy.signed_by ?? null, settings: settings.map((one) => ({ ...one })) });
    }
    const before = this.activations.find((one) => one.kind === kind);
    if (before) Object.assign(before, { ended_at: policy.since, outcome: rolledBack ? 'rolled_back' : 'replaced', last_decision: policy.since_decision });
    this.activations.unshift({ seq: policy.since_seq, at: policy.since, kind, generation: policy.generation, policy: `${name}@${version}`, digest, engine, previous: policy.previous, actor: policy.actor, reason: policy.reason, rolled_back: rolledBack, set: policy.set ?? null, confirm_by: policy.confirm_by ?? null, confirmed_at: null, ended_at: null, outcome: null, state: rolledBack ? 'restored' : 'carried', after_decision: policy.since_decision ?? 0, last_decision: null, report: null });
  }

  row(version) {
    const { settings: _, ...row } = version;
    const policy = this.story.policies.find((one) => one.kind === version.kind);
    return { ...row, last_active_at: this.activations.find((one) => one.digest === version.digest)?.at ?? null, active: policy.digest === version.digest, decisions: policy.digest === version.digest ? policy.decisions : 12 };
  }

  find(text) {
    return this.versions.find((one) => one.digest.startsWith(text) || `${one.name}@${one.version}` === text);
  }

  // By itself.

  tick() {
    for (const swap of this.swaps) if (swap.status === 'running') this.step(swap);
  }

  step(swap) {
    for (const part of swap.parts) {
      const stages = part.stages;
      const at = stages.findIndex((stage) => stage.status === 'running');
      const stage = stages[at];
      if (stage?.slug === 'replay' && stage.done < REPLAYED) {
        Object.assign(stage, { done: Math.min(REPLAYED, stage.done + 70), total: REPLAYED });
        continue;
      }
      if (stage) {
        if (stage.slug === swap.failsAt) return this.fail(swap, part, stage);
        Object.assign(stage, { status: 'passed', ms: 1 + ((at * 7) % 40), detail: this.found(stage.slug, swap, part) });
        if (stage.slug === 'describe') Object.assign(part, { kind: part.offer.kind, policy: `${part.offer.name}@${part.offer.version}`, digest: part.offer.digest });
        if (stage.slug === 'replay') Object.assign(part, { replay: replay(part.offer), replay_timing: { before: { micros_p50: 40, micros_p99: 210 }, after: { micros_p50: 42, micros_p99: 230 } } });
        if (stage.slug === 'activate') this.activate(swap, part);
      }
      let next = stages[at + 1];
      while (next && ((next.slug === 'signature' && !part.offer.signed) || (next.slug === 'shadow' && !swap.shadowFor))) {
        Object.assign(next, { status: 'skipped', detail: next.slug === 'shadow' ? 'not asked for' : 'not signed' });
        next = stages[stages.indexOf(next) + 1];
      }
      if (next) next.status = 'running';
      if (next?.slug === 'replay') Object.assign(next, { done: 0, total: REPLAYED });
    }
    if (swap.parts.every((part) => part.stages.every((stage) => stage.status === 'passed' || stage.status === 'skipped'))) Object.assign(swap, { status: 'active', finished_at: this.story.at });
    this.story.seq += 1;
  }

  found(slug, swap, { offer }) {
    const kind = offer.kind;
    if (slug === 'fetch') return `${offer.bytes} bytes`;
    if (slug === 'digest') return `sha256:${offer.digest}`;
    if (slug === 'describe') return `${offer.name}@${offer.version} is a ${kind} policy`;
    if (slug === 'replay') return `${REPLAYED} recorded decisions, 4 changed (2.0 %)`;
    if (slug === 'activate') return swap.share ? `decides ${swap.share * 100} % of the questions` : `becomes the active ${kind} policy`;
    return '';
  }

  activate(swap, part) {
    const { offer } = part;
    const policy = this.story.policies.find((one) => one.kind === offer.kind);
    if (swap.share) {
      policy.canary = { name: offer.name, version: offer.version, digest: offer.digest, engine: offer.engine, share: swap.share, actor: swap.actor, reason: swap.reason, since: this.story.at, decisions: 0, faults: 0, faults_in_a_row: 0 };
      return;
    }
    if (offer.text !== undefined) this.texts.set(offer.digest, offer.text);
    const confirm = swap.confirmWithin ? this.story.at + swap.confirmWithin : null;
    this.story.swap(offer.kind, offer.version, swap.reason, swap.actor, { name: offer.name, digest: offer.digest, engine: offer.engine, confirm_by: confirm, set: swap.parts.length > 1 ? swap.id : null }, offer.settings);
    Object.assign(part, { generation: this.story.policies.find((one) => one.kind === offer.kind).generation });
    Object.assign(swap, { seq: this.story.seq, confirm_by: confirm });
  }

  fail(swap, part, stage) {
    Object.assign(stage, { status: 'failed', ms: 3, detail: swap.parts.find((one) => one.offer.problem).offer.problem.message });
    Object.assign(swap, { status: 'failed', finished_at: this.story.at, problem: swap.parts.find((one) => one.offer.problem).offer.problem });
    this.story.seq += 1;
  }

  // What people do.

  /** What a file says of itself, as far as a made-up host looks. */
  offer({ file, text, code_base64, settings = {}, signature, stored }) {
    if (stored) {
      const kept = this.stored(stored);
      return kept && this.changed(kept, settings);
    }
    const code = text ?? Buffer.from(code_base64 ?? '', 'base64').toString('latin1');
    const said = (name, otherwise) => new RegExp(`${name}: "([^"]+)"`).exec(code)?.[1] ?? otherwise;
    const unknown = { kind: 'retry', name: 'nobody', version: '0.0.0' };
    const kind = said('kind', this.story.policies.find((one) => file.includes(one.kind) || file.includes(one.name))?.kind ?? 'retry');
    const policy = this.story.policies.find((one) => one.kind === kind) ?? unknown;
    const valued = SETTINGS.map((one) => ({ ...one, value: settings[one.name] ?? one.default }));
    return { file, kind, name: said('name', policy.name), version: said('version', policy.version), digest: this.digestOf(code + JSON.stringify(settings)), engine: text === undefined ? 'component' : 'rhai', bytes: code.length, signed: signature !== undefined, settings: valued, text, problem: text === undefined ? null : refusal(file, code) };
  }

  /** The same text with the same settings is the same version. */
  digestOf(text) {
    return createHash('sha256').update(text).digest('hex');
  }

  begin(offers, { actor = 'web', reason = '', share = null, confirm_within_ms: confirmWithin = null, shadow_for: shadowFor = null }) {
    const parts = offers.map((offer) => ({ file: offer.file, kind: null, policy: null, digest: null, generation: null, replay_timing: null, stages: STAGES.map(([slug, label], at) => ({ slug, label, status: at === 0 ? 'running' : 'waiting', ms: null, detail: '', done: null, total: null })), replay: null, signed_by: null, offer }));
    const swap = { id: this.nextSwap++, actor, reason, status: 'running', started_at: this.story.at, finished_at: null, parts, seq: null, confirm_by: null, problem: null, share, confirmWithin, shadowFor, failsAt: offers.some((offer) => offer.problem) ? 'compile' : null };
    this.swaps = [swap, ...this.swaps].slice(0, SWAPS_MAX);
    this.story.seq += 1;
    return swap;
  }

  stored(text) {
    const version = this.find(text);
    return version && { file: `${version.name}@${version.version}.rhai`, ...version, bytes: version.code_bytes, signed: false, problem: null };
  }

  /** A kept version with some of its settings changed is another version of the same code. */
  changed(kept, settings) {
    const valued = kept.settings.map((one) => ({ ...one, value: settings[one.name] ?? one.value }));
    const same = valued.every((one, at) => one.value === kept.settings[at].value);
    return same ? kept : { ...kept, settings: valued, digest: this.digestOf(kept.digest + JSON.stringify(valued)) };
  }

  /** One of each thing that can be under way, for the pictures. */
  trials() {
    const { story } = this;
    const [selection, retry, gate, curriculum] = story.policies;
    Object.assign(selection, { pinned: 'by ada: the audit runs this week', signed_by: 'release-key', canary: { name: 'fair-share', version: '1.1.0', digest: this.hex(), engine: 'component', share: 0.2, actor: 'ada', reason: 'faster on long queues', since: story.at - 600_000, decisions: 41, faults: 1, faults_in_a_row: 0 } });
    Object.assign(retry, { confirm_by: story.at + 9 * 60_000 });
    const latest = story.decisions.slice(0, 3).map((one) => ({ decision: one.id, at: one.at, class: 'needs_more', class_label: 'wants more evidence', before: 'lets m-4 advance', after: 'asks for 24 more pairs' }));
    const shadow = { kind: gate.kind, name: 'betting-gate', version: '1.1.0', digest: this.hex(), engine: 'component', file: 'betting-gate.wasm', actor: 'web', since: story.at - 300_000, asked: 200, agreed: 188, disagreed: 12, faults: 0, dropped: 2, classes: [{ slug: 'needs_more', label: 'wants more evidence', count: 12 }], disagreements: latest };
    gate.shadows = [shadow, { ...shadow, version: '1.2.0', digest: this.hex(), file: 'bold-gate.wasm', agreed: 155, disagreed: 45, dropped: 0 }];
    curriculum.breaker = { ...curriculum.breaker, faults_in_a_row: 1, faults_in_window: 2, tripped: [{ digest: this.versions.find((one) => one.kind === 'curriculum').digest, until: story.at + 25 * 60_000, why: 'three faults in a row: deadline exceeded' }] };
    curriculum.quarantine = [{ key: this.hex(), since: story.at - 120_000, faults: 2, detail: 'what to practise: learning-progress@1.0.0 failed with trap: division by zero at line 88' }];
    const done = this.begin([{ ...this.stored(retry.digest), file: 'retry.rhai' }], { reason: 'longer pauses for infra faults', actor: 'file-watch' });
    while (done.status === 'running') this.stepQuietly(done);
    const broken = this.begin([{ ...this.stored(retry.digest), file: 'retry.rhai', problem: refusal('retry.rhai', BROKEN) }], { reason: 'shorter first pause', actor: 'ada' });
    while (broken.status === 'running') this.stepQuietly(broken);
  }

  stepQuietly(swap) {
    const { activate } = this;
    this.activate = () => {};
    this.step(swap);
    this.activate = activate;
    if (swap.status === 'active') swap.parts[0].generation = this.story.policies.find((one) => one.kind === swap.parts[0].offer.kind).generation;
  }

  told() {
    return this.swaps.map(({ share: _, confirmWithin: _within, shadowFor: _shadow, failsAt: _fails, ...swap }) => ({ ...swap, parts: swap.parts.map(({ offer: _offer, ...part }) => part) }));
  }

  /** Answers a request, or undefined where it is about something else. */
  answer(method, path, params, body) {
    const ok = (value) => ({ status: 200, body: value });
    const problem = (status, code, detail, fix = null) => ({ status, problem: [code, 'The request is refused', detail, fix] });
    const { story } = this;
    if (method === 'GET' && path === '/api/v1/settings') return ok({ guard_host_loss_max: 0.25, guard_runs_per_host_max: 0, guard_error_rise: 0.02, guard_latency_rise_ms: 250, keep_models: 20 });
    const about = /^\/api\/v1\/decisions\/([0-9]+)\/(verify|case|flips)$/.exec(path);
    if (about) {
      const detail = story.details.get(Number(about[1]));
      if (!detail) return problem(404, 'no_such_decision', `there is no decision ${about[1]}`);
      return ok({ verify: () => verified(detail.row), case: () => caseOf(detail), flips: () => flips(detail) }[about[2]]());
    }
    if (path === '/api/v1/decisions/verify') return { lines: verify(story, body, this.stepMs) };
    if (path === '/api/v1/decisions/window') return { status: 200, bytes: story.decisions.filter((one) => one.kind === params.get('kind')).slice(0, Number(params.get('last') ?? 1_000)).map((one) => JSON.stringify(one)).join('\n') };
    const rest = /^\/api\/v1\/policies\/?(.*)$/.exec(path)?.[1];
    if (rest === undefined) return undefined;
    const [first, second, third, fourth] = rest.split('/').map(decodeURIComponent);
    const go = (offers, terms) => ({ status: 202, body: { source: null, run: null, generation: null, swap: this.begin(offers, terms).id } });
    if (method === 'GET') {
      if (rest === '') return ok({ policies: story.policies.map((card) => ({ card, settings: this.find(card.digest).settings, fuel: 20_000_000, deadline_ms: 50, memory_bytes: 16 << 20, code_bytes: this.find(card.digest).code_bytes, activations: this.activations.filter((one) => one.kind === card.kind) })) });
      if (first === 'definitions') {
        const found = definitions(second);
        return found ? ok(found) : problem(404, 'no_such_kind', `there is no policy kind '${second}'`);
      }
      if (first === 'decided-by') {
        const version = this.find(params.get('policy'));
        const made = story.decisions.filter((one) => version && one.policy === `${version.name}@${version.version}`).slice(0, Number(params.get('limit') ?? 50));
        return ok({ activations: [], decisions: made, next_cursor: null });
      }
      if (first === 'swaps' && second) return ok(this.told().find((one) => one.id === Number(second)));
      if (first === 'versions' && !second) return ok({ versions: this.versions.filter((one) => !params.get('kind') || one.kind === params.get('kind')).map((one) => this.row(one)) });
      if (first === 'versions') {
        const version = this.find(second);
        if (!version) return problem(404, 'no_such_version', `no version '${second}' has ever been active here`, '`pointsman policy versions` lists them');
        if (third === 'code') return { status: 200, bytes: this.texts.get(version.digest) ?? script(version) };
        return ok({ row: this.row(version), summary: 'Capped exponential backoff with jitter.', settings: version.settings, fuel: 20_000_000, deadline_ms: 50, memory_bytes: 16 << 20, state_version: 1, activations: this.activations.filter((one) => one.digest === version.digest) });
      }
      if (first === 'diff') {
        const [a, b] = [this.find(params.get('a')), this.find(params.get('b'))];
        if (!a || !b) return problem(404, 'no_such_version', 'one of the two is not on record');
        const settings = a.settings.flatMap((one, at) => (one.value === b.settings[at].value ? [] : [{ name: one.name, before: String(one.value), after: String(b.settings[at].value) }]));
        return ok({ a: this.row(a), b: this.row(b), metadata: [{ name: 'version', before: a.version, after: b.version }], settings, limits: [], code: a.engine === 'rhai' ? DIFF : null });
      }
      return undefined;
    }
    if (method !== 'POST') return undefined;
    if (first === 'check') {
      const offer = this.offer(body);
      return ok(offer.problem ? { ok: false, kind: null, policy: null, digest: null, summary: null, settings: [], problem: offer.problem } : { ok: true, kind: offer.kind, policy: `${offer.name}@${offer.version}`, digest: offer.digest, summary: 'Capped exponential backoff.', settings: offer.settings, problem: null });
    }
    if (first === 'dry-run') {
      const offer = this.offer(body.policy);
      if (!offer) return problem(404, 'no_such_version', `no version '${body.policy.stored}' has ever been active here`);
      if (offer.problem) return problem(422, offer.problem.code, `${offer.problem.file}:${offer.problem.line}: ${offer.problem.message}`, offer.problem.fix);
      const text = offer.text ?? '';
      const serves = story.policies.find((one) => one.kind === offer.kind);
      const same = body.policy.stored ? serves.digest === offer.digest : text === (this.texts.get(serves.digest) ?? script(serves)) && JSON.stringify(body.policy.settings ?? {}) === '{}';
      return { lines: dryRun(story, { ...offer, same, throws: /\bthrow\b/.test(text), slow: text.includes('slow_down') }, body, this.stepMs) };
    }
    if (first === 'value') return { lines: value(story, this.offer(body.policy), body, this.stepMs) };
    if (first === 'activate') {
      const given = body.stored?.length ? body.stored.map((text) => this.stored(text)) : (body.policies ?? [body]).map((one) => this.offer(one));
      const pinned = given.map((offer) => story.policies.find((one) => one.kind === offer.kind)).find((policy) => policy.pinned);
      if (pinned) return problem(409, 'policy_pinned', `${pinned.kind} is pinned ${pinned.pinned}`, `\`pointsman policy unpin ${pinned.kind}\` lets it be changed again`);
      return go(given, body);
    }
    if (first === 'canary' && !second) return go([body.stored ? this.stored(body.stored) : this.offer(body.policy)], body);
    if (first === 'shadow' && !second) {
      const offer = this.offer(body);
      const shadow = { kind: offer.kind, name: offer.name, version: offer.version, digest: offer.digest, engine: offer.engine, file: offer.file, actor: 'web', since: story.at, asked: 0, agreed: 0, disagreed: 0, faults: 0, dropped: 0, classes: [], disagreements: [] };
      story.policies.find((one) => one.kind === offer.kind).shadows.push(shadow);
      story.seq += 1;
      return ok(shadow);
    }
    if (first === 'swaps' && third === 'cancel') {
      const swap = this.swaps.find((one) => one.id === Number(second));
      Object.assign(swap, { status: 'failed', finished_at: story.at, problem: { code: 'PM2190', stage: 'replay', file: swap.parts[0].file, line: null, column: null, message: 'it was cancelled', fix: null } });
      story.seq += 1;
      return ok({ swap: swap.id });
    }
    const at = story.policies.findIndex((one) => one.kind === first);
    const policy = story.policies[at];
    if (!policy) return undefined;
    const change = (changed) => {
      story.policies[at] = { ...policy, ...changed };
      story.seq += 1;
      return ok({ source: null, run: null, generation: policy.generation, swap: null });
    };
    if (second === 'confirm') return change({ confirm_by: null });
    if (second === 'pin') return change({ pinned: `by web: ${body.reason}` });
    if (second === 'unpin') return change({ pinned: null });
    if (second === 'shadow' && third === 'stop') return change({ shadows: policy.shadows.filter((one) => body.version && one.digest !== body.version) });
    if (second === 'canary' && third === 'stop') return change({ canary: null });
    if (second === 'canary' && third === 'promote') {
      const { name, version, digest, engine } = policy.canary;
      story.swap(first, version, body.reason, 'web', { name, digest, engine, canary: null });
      return ok({ generation: policy.generation + 1 });
    }
    if (second === 'quarantine' && fourth === 'release') return change({ quarantine: policy.quarantine.filter((one) => one.key !== third) });
    return undefined;
  }
}

export const NO_TRIALS = { since_decision: null, set: null, confirm_by: null, pinned: null, signed_by: null, canary: null, shadows: [], breaker: { faults_in_a_row: 0, faults_in_a_row_max: 3, faults_in_window: 0, faults_in_window_max: 5, window_ms: 600_000, tripped: [] }, quarantine: [] };

/** Wrong in its twelfth line, as a refused file is in the story. */
const BROKEN = `${'\n'.repeat(11)}        backof_ms`;

function replay({ kind, name, version, digest }) {
  return { kind, policy: `${name}@${version}`, digest, looked_at: REPLAYED, replayed: REPLAYED, not_replayable: [], same: 196, changed: 4, changed_share: 0.02, classes: [{ slug: 'retries_later', label: 'retries later', count: 4 }], new_errors: 0, errors_gone: 0, first_decision: 1, last_decision: REPLAYED, from: 0, until: 0, keeps_state: false, before: { fuel_p50: 41_000, fuel_p99: 90_000 }, after: { fuel_p50: 43_000, fuel_p99: 95_000 }, first_divergence: { decision: 1, at: 0, class: 'retries_later', class_label: 'retries later', before: 'again in 2.0 s', after: 'again in 4.0 s', before_reasons: [], after_reasons: [] }, groups: [], groups_left_out: 0, cases: [], cases_left_out: 4, budgets: { last: REPLAYED, changed_share_max: null, new_errors_max: 0, fuel_factor_max: null, forbidden: [] }, broken: [] };
}

function script({ name, version, kind }) {
  return `// A made-up policy of a made-up host.

fn describe() {
    #{
        name: "${name}",
        version: "${version}",
        kind: "${kind}",
        summary: "Capped exponential backoff.",
        settings: [
            #{ name: "base_s", default: 2.0, minimum: 0.1, maximum: 3600.0, help: "Seconds before the first retry." },
            #{ name: "factor", default: 2.0, minimum: 1.0, maximum: 10.0, help: "By how much each further wait is longer." },
            #{ name: "once_more", default: false, help: "Whether a deterministic failure gets one more try." },
        ],
    }
}

// The wait grows with each failure, up to the cap.
fn decide(ctx) {
    let wait = ctx.settings.base_s * pow(ctx.settings.factor, ctx.attempt - 1);
    if wait > 120.0 { wait = 120.0; }
    #{
        verdict: #{ retry: to_int(wait * 1000.0) },
        reasons: [#{ code: "backoff", text: \`again in \${fixed(wait, 1)} s, which is what is left after \${ctx.attempt} attempts of this source\` }],
    }
}
`;
}

const DIFF = `--- before
+++ after
@@ -5,7 +5,8 @@
 
 // The wait grows with each failure, up to the cap.
 fn decide(ctx) {
-    let wait = ctx.settings.base_s * ctx.attempt;
+    let wait = ctx.settings.base_s * ctx.settings.factor ** (ctx.attempt - 1);
+    if wait > ctx.settings.cap_s { wait = ctx.settings.cap_s; }
     #{ verdict: #{ retry: wait * 1000 } }
 }
`;
