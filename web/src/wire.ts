// Generated from host/server/src/wire.rs by its test; do not edit.

/**
 * The read model `dashboard`: everything the first screen shows.
 */
export type Dashboard = {
/**
 * Journal position this was taken at.
 */
seq: number,
/**
 * Server time in milliseconds since 1970.
 */
at: number, version: string, training: TrainingState,
/**
 * Queue, Execute, Outcome, Promotion.
 */
pipeline: Array<Stage>, window: Window, totals: Totals, active: ModelCard | null, candidate: CandidateCard | null, last_apply: Apply | null,
/**
 * In the order source-selection, retry, promotion-gate, curriculum.
 */
policies: Array<PolicyCard>,
/**
 * Latest first; the 30 newest.
 */
jobs: Array<JobRow>,
/**
 * Latest first; the 50 newest.
 */
decisions: Array<DecisionRow>,
/**
 * What happens next, in one sentence.
 */
next_action: string,
/**
 * What is wrong, most urgent first; empty when all is well.
 */
alerts: Array<Alert>, };

export type TrainingState = {
/**
 * stopped, running, draining
 */
slug: string, label: string,
/**
 * What is wanted.
 */
enabled: boolean,
/**
 * Training runs under way, and the most there may be.
 */
running: number, cap: number, by: string, reason: string, since: number | null, };

export type Stage = { slug: string, label: string, count: number,
/**
 * One short line under the count: `+2 curriculum`.
 */
detail: string, };

/**
 * Successes toward the next evaluation.
 */
export type Window = { size: number, done: number, remaining: number, watermark: number,
/**
 * collecting, evaluating, canary, watching, held, none
 */
state: string, state_label: string, };

export type Totals = { outcomes: number, successes: number, failures: number,
/**
 * Over the latest 100 outcomes.
 */
recent_successes: number, recent_outcomes: number, live_applies: number, rejected: number, rolled_back: number, decisions: number, fallbacks: number, swaps: number, };

/**
 * Held-out loss of one host in bits per byte.
 */
export type HostBits = { host: string, bits: number, };

export type ModelCard = { tag: string, digest: string, parent: string | null, live_since: number | null,
/**
 * Mean over hosts; none before the first evaluation.
 */
mean: number | null, hosts: Array<HostBits>,
/**
 * Standard requests answered since this host process started.
 */
answered: number, };

export type HostComparison = { host: string, baseline: number, candidate: number, pairs: number, };

export type CandidateCard = { tag: string, baseline: string,
/**
 * evaluating, canary, watching, held
 */
stage: string, stage_label: string, since: number, looks: number, pairs: number, pairs_cap: number,
/**
 * Means over the hosts of the evaluation.
 */
baseline_mean: number | null, candidate_mean: number | null, hosts: Array<HostComparison>,
/**
 * The gate's latest words.
 */
latest_reason: string, latest_decision: number | null, };

export type Apply = { at: number, model: string, before: string, bits_before: number | null, bits_after: number | null, decision: number | null, };

export type PolicyCard = { kind: string, generation: number, name: string, version: string, digest: string,
/**
 * component, rhai, built-in
 */
engine: string, summary: string, since_seq: number, since: number, actor: string, reason: string,
/**
 * Decisions this generation has answered, and its faults.
 */
decisions: number, faults: number,
/**
 * Version a rollback would bring back.
 */
previous: string | null,
/**
 * The latest refused file of this kind since the last activation.
 */
problem: PolicyProblem | null, };

/**
 * Why a policy file was refused. The version before it goes on serving.
 */
export type PolicyProblem = {
/**
 * Stable: `PM2104`.
 */
code: string, stage: string, file: string, line: number | null, column: number | null, message: string,
/**
 * The cure.
 */
fix: string | null, };

export type JobRow = { id: number, name: string, class: string, host: string | null, source: number | null, attempt: number,
/**
 * queued, warming, running, completed, failed, cancelled
 */
status_slug: string, status_label: string, created_at: number, started_at: number | null, finished_at: number | null, steps: number | null, loss: number | null, model: string | null, base: string | null, error: string | null, failure_class: string | null, decision: number | null, };

export type DecisionRow = { id: number, seq: number, at: number, kind: string,
/**
 * The verdict's word: pick, retry, advance ...
 */
verdict: string,
/**
 * The verdict in words: `picks #12 novel`.
 */
summary: string, subject: string, reasons: Array<ReasonRow>, policy: string, digest: string, engine: string, generation: number,
/**
 * active, last_good, built_in
 */
link: string, fuel: number | null, micros: number,
/**
 * Links asked before, and why they did not answer.
 */
declined: Array<DeclinedRow>, };

export type ReasonRow = { code: string, text: string, feature: string | null, value: number | null, threshold: number | null, margin: number | null, };

export type DeclinedRow = { link: string, policy: string, class: string, detail: string, };

export type Alert = {
/**
 * info, warning, error
 */
level: string, code: string, text: string, fix: string | null, };

/**
 * `GET /api/v1/decisions/{id}`: the row with everything the ledger holds.
 */
export type DecisionDetail = { row: DecisionRow,
/**
 * The context as the answering link saw it.
 */
context: unknown, ruling: unknown, context_digest: string, };

/**
 * `GET /api/v1/jobs/{id}`
 */
export type JobDetail = { row: JobRow, points: Array<[number, number | null, number | null]>,
/**
 * The last lines of its output.
 */
log: Array<string>, artifacts: Array<string>, };

/**
 * A frame from server to viewer on `/ws`. Connect with `?since=SEQ&epoch=EPOCH` to resume.
 */
export type Frame = { "type": "hello", epoch: string, version: string, seq: number, } | { "type": "snapshot", model: string, seq: number, state: Dashboard, } | { "type": "state.read.model.patch", model: string, from: number, seq: number, patch: Array<{ op: string; path: string; from?: string; value?: unknown }>, } | { "type": "samples", run: number, points: Array<[number, number | null, number | null]>, } | { "type": "gap", from: number, to: number, };

/**
 * RFC 9457.
 */
export type Problem = { type: string, title: string, status: number, detail: string, code: string, errors: Array<FieldError>,
/**
 * The cure.
 */
fix: string | null, };

export type FieldError = {
/**
 * JSON pointer of the field.
 */
pointer: string, detail: string, };

/**
 * `GET /api/v1/jobs`, newest first.
 */
export type JobList = { jobs: Array<JobRow>,
/**
 * To be handed back as `cursor` for the rows after these; none at the end.
 */
next_cursor: string | null, };

export type SourceRow = { id: number, title: string, host: string | null,
/**
 * queue, curriculum
 */
lane: string, origin: string, priority: number,
/**
 * pending, running, waiting, disabled, failed, done, given_up
 */
status: string, reason: string | null, attempts: number, queued_at: number, retry_at: number | null, finished_at: number | null, };

/**
 * `GET /api/v1/sources`, newest first.
 */
export type SourceList = { sources: Array<SourceRow>, next_cursor: string | null, };

/**
 * `GET /api/v1/decisions`, newest first.
 */
export type DecisionList = { decisions: Array<DecisionRow>, next_cursor: string | null, };

export type ModelRow = { tag: string, parent: string | null, run: number, digest: string, bytes: number, made_at: number, host: string | null, retired_at: number | null, live: boolean, };

/**
 * A time at which another model went live, and why.
 */
export type LiveChange = { seq: number, at: number, model: string, before: string | null,
/**
 * bootstrapped, applied, rolled_back
 */
cause: string, decision: number | null, actor: string | null, reason: string | null, };

/**
 * `GET /api/v1/models`, newest first.
 */
export type ModelList = { models: Array<ModelRow>, next_cursor: string | null,
/**
 * Which model was live when; newest first.
 */
live: Array<LiveChange>, };

/**
 * A time at which another policy version became the active one of its kind.
 */
export type Activation = { seq: number, at: number, kind: string, generation: number, policy: string, digest: string, engine: string, previous: string | null, actor: string, reason: string, rolled_back: boolean, };

export type PolicySetting = { name: string, help: string, value: boolean | number | string, default: boolean | number | string, minimum: number | null, maximum: number | null, };

export type PolicyDetail = { card: PolicyCard, settings: Array<PolicySetting>, fuel: number, deadline_ms: number, memory_bytes: number, code_bytes: number,
/**
 * Most recent first.
 */
activations: Array<Activation>, };

/**
 * `GET /api/v1/policies`
 */
export type PolicyList = { policies: Array<PolicyDetail>, };

/**
 * Answer of `POST /api/v1/policies/check`.
 */
export type PolicyCheck = { ok: boolean, kind: string | null, policy: string | null, digest: string | null, summary: string | null, problem: PolicyProblem | null, };

/**
 * Answer of a command.
 */
export type Done = { source: number | null, run: number | null, generation: number | null, };

/** A point of a loss curve: step, training loss, held-out loss. */
export type Point = [number, number | null, number | null];
