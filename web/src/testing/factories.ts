/** Data for tests, made by the state it is in. */

import type { Activation, CampaignRow, CandidateCard, Dashboard, DecisionRow, Divergence, JobRow, ModelCard, NextCandidate, PolicyCard, PolicySetting, ReplayReport, ShadowCard, SourceRow, Swap, SwapPart, SwapStage, VersionRow } from '../wire';

const AT = 1_800_000_000_000;

function job(change: Partial<JobRow>): JobRow {
  return {
    id: 1,
    name: 'Letters, volume 2',
    class: 'training',
    host: 'novel',
    source: 1,
    attempt: 1,
    status_slug: 'queued',
    status_label: 'Queued',
    created_at: AT,
    started_at: null,
    finished_at: null,
    steps: null,
    loss: null,
    model: null,
    base: 'm-1',
    error: null,
    failure_class: null,
    decision: 1,
    ...change,
  };
}

export const jobFactory = {
  queued: (id: number, change: Partial<JobRow> = {}) => job({ id, ...change }),
  running: (id: number, change: Partial<JobRow> = {}) => job({ id, status_slug: 'running', status_label: 'Running', started_at: AT + 1_000, ...change }),
  completed: (id: number, change: Partial<JobRow> = {}) =>
    job({ id, status_slug: 'completed', status_label: 'Completed', started_at: AT + 1_000, finished_at: AT + 9_000, loss: 5.1, model: 'm-2', ...change }),
  failed: (id: number, change: Partial<JobRow> = {}) =>
    job({ id, status_slug: 'failed', status_label: 'Failed', started_at: AT + 1_000, finished_at: AT + 4_000, error: 'worker lost', failure_class: 'infra', ...change }),
};

export const decisionFactory = {
  answered: (id: number, change: Partial<DecisionRow> = {}): DecisionRow => ({
    id,
    seq: id,
    at: AT,
    kind: 'source-selection',
    verdict: 'pick',
    summary: 'picks #1 novel of 2',
    subject: 'what runs next',
    reasons: [],
    policy: 'fair-share@1.0.0',
    digest: 'ab'.repeat(32),
    engine: 'wasmtime 48',
    generation: 1,
    link: 'active',
    fuel: 1_000,
    micros: 27,
    declined: [],
    ...change,
  }),
};

export const modelFactory = {
  measured: (hosts: Record<string, number>): ModelCard => ({
    tag: 'm-1',
    digest: 'cd'.repeat(32),
    parent: null,
    live_since: AT,
    mean: 5,
    hosts: Object.entries(hosts).map(([host, bits]) => ({ host, bits })),
    answered: 0,
  }),
};

export const candidateFactory = {
  evaluating: (hosts: Record<string, [number, number]>): CandidateCard => ({
    tag: 'm-2',
    baseline: 'm-1',
    stage: 'evaluating',
    stage_label: 'Evaluating',
    since: AT,
    looks: 1,
    pairs: 24,
    pairs_cap: 120,
    baseline_mean: null,
    candidate_mean: null,
    hosts: Object.entries(hosts).map(([host, [baseline, candidate]]) => ({ host, baseline, candidate, pairs: 4 })),
    latest_reason: '',
    latest_decision: null,
  }),
};

export const policyFactory = {
  serving: (kind: string, change: Partial<PolicyCard> = {}): PolicyCard => ({
    kind,
    generation: 1,
    name: 'backoff',
    version: '1.0.0',
    digest: 'ef'.repeat(32),
    engine: 'rhai',
    summary: '',
    since_seq: 1,
    since: AT,
    actor: 'file-watch',
    reason: '',
    decisions: 3,
    faults: 0,
    previous: null,
    since_decision: null,
    set: null,
    confirm_by: null,
    pinned: null,
    signed_by: null,
    canary: null,
    shadows: [],
    breaker: { faults_in_a_row: 0, faults_in_a_row_max: 3, faults_in_window: 0, faults_in_window_max: 5, window_ms: 600_000, tripped: [] },
    quarantine: [],
    problem: null,
    ...change,
  }),
};

export const stageFactory = {
  waiting: (slug: string, change: Partial<SwapStage> = {}): SwapStage => ({ slug, label: slug, status: 'waiting', ms: null, detail: '', done: null, total: null, ...change }),
  passed: (slug: string, ms: number): SwapStage => stageFactory.waiting(slug, { status: 'passed', ms }),
  running: (slug: string, change: Partial<SwapStage> = {}): SwapStage => stageFactory.waiting(slug, { status: 'running', ...change }),
};

const part = (change: Partial<SwapPart>): SwapPart => ({ file: 'retry.rhai', kind: null, policy: null, digest: null, generation: null, stages: [], replay: null, replay_timing: null, signed_by: null, ...change });

export const swapFactory = {
  running: (id: number, parts: Partial<SwapPart>[] = [{}]): Swap => ({
    id,
    actor: 'web',
    reason: '',
    status: 'running',
    started_at: AT,
    finished_at: null,
    parts: parts.map(part),
    seq: null,
    confirm_by: null,
    problem: null,
  }),
  active: (id: number, parts: Partial<SwapPart>[] = [{ kind: 'retry', policy: 'backoff@1.1.0', generation: 2 }]): Swap => ({ ...swapFactory.running(id, parts), status: 'active', finished_at: AT + 800, seq: 9 }),
  failed: (id: number, kind: string | null): Swap => ({
    ...swapFactory.running(id, [{ kind }]),
    status: 'failed',
    finished_at: AT + 20,
    problem: { code: 'PM2104', stage: 'compile', file: 'retry.rhai', line: 12, column: 9, message: 'no such field', fix: 'rename it' },
  }),
};

export const shadowFactory = {
  watching: (agreed: number, disagreed: number): ShadowCard => ({
    kind: 'retry',
    name: 'backoff',
    version: '1.1.0',
    digest: '12'.repeat(32),
    engine: 'rhai',
    file: 'retry.rhai',
    actor: 'web',
    since: AT,
    asked: agreed + disagreed,
    agreed,
    disagreed,
    faults: 0,
    dropped: 0,
    classes: [],
    disagreements: [],
  }),
};

export const divergenceFactory = {
  of: (decision: number, slug: string): Divergence => ({ decision, at: AT, class: slug, class_label: slug.replaceAll('_', ' '), before: 'as it was', after: 'as it would be', before_reasons: [], after_reasons: [] }),
};

export const replayFactory = {
  same: (replayed: number): ReplayReport => ({
    kind: 'retry',
    policy: 'backoff@1.1.0',
    digest: '12'.repeat(32),
    first_decision: replayed === 0 ? null : 1,
    last_decision: replayed === 0 ? null : replayed,
    from: replayed === 0 ? null : AT,
    until: replayed === 0 ? null : AT + replayed,
    looked_at: replayed,
    replayed,
    not_replayable: [],
    same: replayed,
    changed: 0,
    changed_share: 0,
    keeps_state: false,
    remembers: false,
    classes: [],
    new_errors: 0,
    errors_gone: 0,
    before: { fuel_p50: null, fuel_p99: null },
    after: { fuel_p50: null, fuel_p99: null },
    first_divergence: null,
    groups: [],
    groups_left_out: 0,
    cases: [],
    cases_left_out: 0,
    budgets: { last: 200, changed_share_max: null, new_errors_max: 0, fuel_factor_max: null, forbidden: [] },
    broken: [],
  }),
  changed: (replayed: number, classes: [slug: string, count: number][]): ReplayReport => {
    const changed = classes.filter(([slug]) => slug !== 'reason_only').reduce((sum, [, count]) => sum + count, 0);
    return {
      ...replayFactory.same(replayed),
      same: replayed - classes.reduce((sum, [, count]) => sum + count, 0),
      changed,
      changed_share: changed / replayed,
      classes: classes.map(([slug, count]) => ({ slug, label: slug.replaceAll('_', ' '), count })),
    };
  },
};

export const activationFactory = {
  of: (generation: number, policy: string, digest: string, change: Partial<Activation> = {}): Activation => ({
    seq: generation,
    at: AT,
    kind: 'retry',
    generation,
    policy,
    digest,
    engine: 'rhai',
    previous: null,
    actor: 'web',
    reason: '',
    rolled_back: false,
    set: null,
    confirm_by: null,
    confirmed_at: null,
    ended_at: null,
    outcome: null,
    state: 'empty',
    after_decision: 0,
    last_decision: null,
    report: null,
    ...change,
  }),
};

export const versionFactory = {
  kept: (digest: string, first_seen: number, change: Partial<VersionRow> = {}): VersionRow => ({
    name: 'backoff',
    version: '1.0.0',
    kind: 'retry',
    engine: 'rhai',
    digest,
    code_digest: null,
    code_bytes: 100,
    first_seen,
    last_active_at: null,
    active: false,
    decisions: 0,
    signed_by: null,
    ...change,
  }),
};

export const settingFactory = {
  number: (name: string, value: number, change: Partial<PolicySetting> = {}): PolicySetting => ({ name, help: '', value, default: value, minimum: null, maximum: null, ...change }),
  flag: (name: string, value: boolean): PolicySetting => ({ name, help: '', value, default: value, minimum: null, maximum: null }),
  text: (name: string, value: string): PolicySetting => ({ name, help: '', value, default: value, minimum: null, maximum: null }),
};

export function dashboardAt(seq: number, change: Partial<Dashboard> = {}): Dashboard {
  return {
    seq,
    at: AT + seq,
    view: { fingerprint: `f${seq}`, seq, generated_at: AT + seq, age_ms: 0, ttl_ms: 5_000 },
    version: '0.1.0',
    training: { slug: 'running', label: 'Running', enabled: true, running: 0, cap: 1, by: 'cli', reason: '', since: AT },
    capacity: {
      desired: 'started',
      actual: 'running',
      by: 'cli',
      reason: '',
      since: AT,
      ceiling: { global_max: 3, reserved_slots: 1, left_for_training: 2, training_max_active: 1, effective: 1, words: '' },
      training_free: 1,
      training: 0,
      eval: 0,
      canary: 0,
      manual: 0,
      total: 0,
      non_training: 0,
      explanation: '',
    },
    queue: {
      queue: { pending: 0, ui: 0, other: 0, origins: [], open: true, oldest: null, oldest_queued_at: null },
      curriculum: { pending: 0, ui: 0, other: 0, origins: [], open: true, oldest: null, oldest_queued_at: null },
      pending_hosts: 0,
      waiting: 0,
      disabled: 0,
      lane_mode: 'hybrid',
      lane_mode_label: 'Hybrid',
      curriculum_fallback: true,
      fallback_text: '',
      campaign_lock: false,
      lock: null,
      host_policy: '',
      same_host_cap: 1,
      recent_host_window: 3,
      recent_hosts: [],
      selection_mode: 'none',
      now: [],
      idle_reason: null,
      sentence: '',
      ui_share: '',
      campaigns_open: 0,
    },
    pipeline: [],
    window: { size: 30, done: 0, remaining: 30, watermark: 0, state: 'collecting', state_label: 'Collecting successes' },
    totals: {
      outcomes: 0,
      successes: 0,
      failures: 0,
      recent_successes: 0,
      recent_outcomes: 0,
      live_applies: 0,
      rejected: 0,
      rolled_back: 0,
      decisions: 0,
      fallbacks: 0,
      swaps: 0,
    },
    active: null,
    candidate: null,
    last_apply: null,
    policies: [],
    swaps: [],
    jobs: [],
    decisions: [],
    next_action: '',
    alerts: [],
    ...change,
  };
}

function source(change: Partial<SourceRow>): SourceRow {
  return { id: 1, title: 'Letters, volume 2', host: 'novel', lane: 'queue', origin: 'ui', priority: 0, campaign: null, campaign_row: null, status: 'pending', status_label: 'Pending', reason: null, attempts: 0, queued_at: AT, retry_at: null, finished_at: null, ...change };
}

export const sourceFactory = {
  pending: (id: number, change: Partial<SourceRow> = {}) => source({ id, ...change }),
  waiting: (id: number, change: Partial<SourceRow> = {}) => source({ id, status: 'waiting', status_label: 'Waiting', attempts: 1, retry_at: AT + 8_000, ...change }),
  running: (id: number, change: Partial<SourceRow> = {}) => source({ id, status: 'running', status_label: 'Running', attempts: 1, ...change }),
  disabled: (id: number, change: Partial<SourceRow> = {}) => source({ id, status: 'disabled', status_label: 'Disabled', reason: 'being mended', ...change }),
  done: (id: number, change: Partial<SourceRow> = {}) => source({ id, status: 'done', status_label: 'Done', attempts: 1, finished_at: AT + 9_000, ...change }),
};

export const campaignFactory = {
  running: (id: number, change: Partial<CampaignRow> = {}): CampaignRow => ({ id, name: `c-${id}`, title: 'Evening practice', host: 'novel', lane: 'queue', total: 12, done: 4, percent: 33.3, queued: 7, running: 1, failed: 0, cancelled: 0, state: 'running', first_source: 10, queued_at: AT, started_at: AT + 1_000, finished_at: null, by: 'web', reason: '', cancelled_by: null, cancel_reason: null, holds_lock: false, ...change }),
};

export function candidateOf(source: number, score: number | null, change: Partial<NextCandidate> = {}): NextCandidate {
  return { source, title: `source ${source}`, host: 'novel', lane: 'queue', origin: 'ui', campaign: null, age_s: 1, attempts: 0, priority: 0, score, terms: [], blocked: [], chance: null, ...change };
}
