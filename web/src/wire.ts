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
at: number, version: string, training: TrainingState, capacity: Capacity, queue: QueueCard,
/**
 * Queue, Execute, Outcome, Promotion.
 */
pipeline: Array<Stage>, window: Window, totals: Totals, active: ModelCard | null, candidate: CandidateCard | null, last_apply: Apply | null,
/**
 * In the order source-selection, retry, promotion-gate, curriculum.
 */
policies: Array<PolicyCard>,
/**
 * Swaps of this host process with their stages, newest first; the 20 newest.
 */
swaps: Array<Swap>,
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
engine: string, summary: string, since_seq: number,
/**
 * The last decision before it: it is asked since the next.
 */
since_decision: number | null, since: number, actor: string, reason: string,
/**
 * Decisions this generation has answered, and its faults.
 */
decisions: number, faults: number,
/**
 * Version a rollback would bring back.
 */
previous: string | null,
/**
 * Kinds that were activated together have the same number.
 */
set: number | null,
/**
 * Not confirmed yet: at this time it is taken back.
 */
confirm_by: number | null,
/**
 * Refuses activations and canaries until it is unpinned; says by whom and why.
 */
pinned: string | null,
/**
 * Name of the key that signed its code.
 */
signed_by: string | null, canary: CanaryCard | null,
/**
 * Versions that see what is decided and decide nothing, the oldest first.
 */
shadows: Array<ShadowCard>, breaker: BreakerCard, quarantine: Array<QuarantineCard>,
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
 * candidate, active, last_good, built_in
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
 * Number of its campaign, and its row there.
 */
campaign: number | null, campaign_row: number | null,
/**
 * pending, running, waiting, disabled, done, given_up, cancelled
 */
status: string, status_label: string, reason: string | null, attempts: number, queued_at: number, retry_at: number | null, finished_at: number | null, };

/**
 * `GET /api/v1/sources`, newest first.
 */
export type SourceList = { sources: Array<SourceRow>,
/**
 * For the page after this one. There may be one after a page that is not full: the search has a bound per page.
 */
next_cursor: string | null,
/**
 * Pending and waiting sources of the lanes that were asked for, whatever else was.
 */
pending_total: number, };

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
export type Activation = { seq: number, at: number, kind: string, generation: number, policy: string, digest: string, engine: string, previous: string | null, actor: string, reason: string, rolled_back: boolean,
/**
 * Kinds that were activated together have the same number.
 */
set: number | null, confirm_by: number | null, confirmed_at: number | null,
/**
 * None while it is active.
 */
ended_at: number | null,
/**
 * replaced, rolled_back, timed_out, tripped
 */
outcome: string | null,
/**
 * The state it began with: empty, carried, migrated, from_canary, restored
 */
state: string,
/**
 * Its decisions are among those after this one, up to `last_decision` where it is over.
 */
after_decision: number, last_decision: number | null,
/**
 * What the swap's stages found, as it was recorded.
 */
report: unknown, };

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
export type PolicyCheck = { ok: boolean, kind: string | null, policy: string | null, digest: string | null, summary: string | null,
/**
 * Its settings with the values it would run with; none where it was refused.
 */
settings: Array<PolicySetting>, problem: PolicyProblem | null, };

/**
 * Answer of a command.
 */
export type Done = { source: number | null, run: number | null, generation: number | null, campaign: number | null,
/**
 * A swap that was started; `GET /api/v1/policies/swaps/{id}` tells how it goes.
 */
swap: number | null, };

/**
 * The way of one policy, or of a set of them, into service. Newest first in the read model, the last 20 of this host process.
 */
export type Swap = {
/**
 * Of this host process, from 1.
 */
id: number, actor: string, reason: string,
/**
 * running, active, failed
 */
status: string, started_at: number, finished_at: number | null,
/**
 * One for each policy of the set; most swaps have one.
 */
parts: Array<SwapPart>,
/**
 * Journal position of the activation.
 */
seq: number | null,
/**
 * To be confirmed by this time, or it is taken back.
 */
confirm_by: number | null,
/**
 * Why it failed. What was active before goes on serving.
 */
problem: PolicyProblem | null, };

export type SwapPart = { file: string,
/**
 * Known once the policy has described itself.
 */
kind: string | null,
/**
 * `name@version`
 */
policy: string | null, digest: string | null,
/**
 * The generation it became.
 */
generation: number | null, stages: Array<SwapStage>, replay: ReplayReport | null, replay_timing: ReplayTiming | null,
/**
 * Name of the key that signed the code.
 */
signed_by: string | null, };

export type SwapStage = {
/**
 * fetch, digest, signature, parse, compile, link, describe, settings, self_test, replay, state, shadow, activate, drain, retire
 */
slug: string, label: string,
/**
 * waiting, running, passed, failed, skipped
 */
status: string,
/**
 * How long it took; none while it waits.
 */
ms: number | null,
/**
 * One line: what was found, or why it failed or was skipped.
 */
detail: string,
/**
 * Progress of a stage that counts: decisions replayed or seen in shadow.
 */
done: number | null, total: number | null, };

/**
 * `GET /api/v1/policies/swaps`, newest first.
 */
export type SwapList = { swaps: Array<Swap>, };

/**
 * What a version would have decided on the recorded contexts, beside what was decided.
 */
export type ReplayReport = { kind: string, policy: string, digest: string,
/**
 * The window: its first and last decision, and when they were made.
 */
first_decision: number | null, last_decision: number | null, from: number | null, until: number | null,
/**
 * Recorded decisions looked at: those replayed and those that cannot be.
 */
looked_at: number, replayed: number, not_replayable: Array<Counted>, same: number,
/**
 * Another verdict, or an error where there was none, or none where there was one.
 */
changed: number,
/**
 * `changed / replayed`; 0 where nothing was replayed.
 */
changed_share: number,
/**
 * The version answered with state: each answer stands on the ones before.
 */
keeps_state: boolean,
/**
 * By class, most frequent first; `reason_only` is not a change of the verdict.
 */
classes: Array<Counted>, new_errors: number, errors_gone: number,
/**
 * Of the recorded decisions, and of the replay.
 */
before: CostSummary, after: CostSummary,
/**
 * Up to here the recorded course is the one this version would have taken. What comes after is each recorded question
 * asked by itself, not a forecast: the version would have been asked other questions.
 */
first_divergence: Divergence | null,
/**
 * Hosts, campaigns, sources and models whose decisions change, most changes first in each dimension.
 */
groups: Array<ReplayGroup>, groups_left_out: number,
/**
 * Each change, oldest first, as many as were asked for.
 */
cases: Array<Divergence>, cases_left_out: number, budgets: ReplayBudgets,
/**
 * Budgets that are broken, a sentence each with its numbers.
 */
broken: Array<string>, };

/**
 * What a replay may find and still pass. Given with an activation or in `NAME.budgets.json` beside the file.
 */
export type ReplayBudgets = {
/**
 * Newest recorded decisions that are replayed; 0 skips the gate.
 */
last: number,
/**
 * Largest share of changed verdicts.
 */
changed_share_max: number | null, new_errors_max: number,
/**
 * Most that the median fuel may grow by, as a factor.
 */
fuel_factor_max: number | null,
/**
 * Classes of change that must not occur.
 */
forbidden: Array<string>, };

export type Counted = { slug: string, label: string, count: number, };

/**
 * Fuel of decisions, by rank; none where nothing is known.
 */
export type CostSummary = { fuel_p50: number | null, fuel_p99: number | null, };

/**
 * A recorded decision that would have been another.
 */
export type Divergence = { decision: number, at: number,
/**
 * Its class: `picks_other`, `retries_later`, `new_error_trap` ...
 */
class: string, class_label: string,
/**
 * In words: what was decided, and what would be.
 */
before: string, after: string, before_reasons: Array<string>, after_reasons: Array<string>, };

/**
 * Decisions that touch one host, campaign, source or model.
 */
export type ReplayGroup = {
/**
 * host, campaign, source, model
 */
dimension: string, key: string, replayed: number, changed: number,
/**
 * Decided for it before and not after, and the other way round.
 */
lost: number, gained: number, };

/**
 * Time of the recorded decisions and of the replay. Beside the report, which is the same each time; this is not.
 */
export type ReplayTiming = { before: TimeSummary, after: TimeSummary, };

/**
 * Time of decisions in microseconds, by rank; none where nothing is known.
 */
export type TimeSummary = { micros_p50: number | null, micros_p99: number | null, };

/**
 * What a version of source selection would have been worth on recorded decisions whose picks were left to chance. The
 * reward of a decision is 1 where the run that it began succeeded and 0 where it failed.
 */
export type ValueReport = { kind: string, policy: string, digest: string,
/**
 * The window: its first and last decision, and when they were made.
 */
first_decision: number | null, last_decision: number | null, from: number | null, until: number | null, looked_at: number,
/**
 * Decisions that were left to chance and whose run's end is known. All other figures are about these.
 */
used: number,
/**
 * Why the others were left out, most frequent first.
 */
left_out: Array<Counted>,
/**
 * Where the version fails, and where it idles; both earn nothing.
 */
errors: number, idles: number,
/**
 * The version answered with state: each answer stands on its own answers before, which were never carried out.
 */
keeps_state: boolean,
/**
 * Whether there is a value. If not, `cannot_know` says why, and the four estimates are none.
 */
known: boolean, cannot_know: Array<CannotKnow>,
/**
 * What the recorded policies earned: share of successes.
 */
recorded: ValueEstimate | null, ips: ValueEstimate | null, snips: ValueEstimate | null, doubly_robust: ValueEstimate | null,
/**
 * The doubly robust value less what was earned.
 */
gain: ValueEstimate | null,
/**
 * Which interval the estimates have.
 */
interval: string,
/**
 * As many equally weighted decisions as these weigh.
 */
effective_n: number, weight_max: number,
/**
 * Of the version's picks, on candidates that the recorded policy gave no chance.
 */
unsupported_share: number,
/**
 * Decisions whose recorded pick the version might have made, too.
 */
matched: number, };

export type ValueEstimate = { value: number, low: number, high: number, };

/**
 * Why there is no value.
 */
export type CannotKnow = {
/**
 * nothing_drawn, nothing_used, picks_nothing, all_alike, few_effective, unsupported
 */
slug: string,
/**
 * One sentence with its numbers.
 */
words: string, };

/**
 * One line of a long answer.
 */
export type ReplayLine = { "progress": ReplayProgress } | { "report": ReplayReport } | { "timing": ReplayTiming } | { "verification": VerificationReport } | { "value": ValueReport } | { "problem": Problem };

export type ReplayProgress = { done: number, total: number, };

/**
 * Recorded decisions made again by the versions that made them.
 */
export type VerificationReport = { looked_at: number,
/**
 * Verdict, reasons, scores, state and fuel.
 */
identical: number,
/**
 * The verdict, and not all of the rest.
 */
same_verdict: number, diverged: number, not_replayable: number, why_not: Array<Counted>,
/**
 * Engines that the decisions were made by.
 */
engines: Array<string>,
/**
 * The oldest that are not identical.
 */
rows: Array<VerificationRow>, };

export type VerificationRow = { decision: number, kind: string, policy: string,
/**
 * identical, same_verdict, diverged, not_replayable
 */
result: string,
/**
 * The verdict that was recorded, in words.
 */
recorded: string, detail: string, };

/**
 * What would have had to be different for another decision, nearest first.
 */
export type FlipReport = { decision: number, policy: string, flips: Array<FlipRow>,
/**
 * Numbers of the context that were moved, and questions that were asked.
 */
fields: number, asked: number,
/**
 * Whether every number was moved, or the questions ran out first.
 */
complete: boolean,
/**
 * Why nothing can be told, if nothing can.
 */
why_not: string | null, };

/**
 * One number that makes another decision when it alone is moved.
 */
export type FlipRow = {
/**
 * Where it stands in the context: `candidates[3].age_s`.
 */
field: string, from: number, to: number,
/**
 * The verdict's word, and the whole of it in words.
 */
verdict: string, becomes: string, };

/**
 * What a script of a kind may name.
 */
export type Definitions = { kind: string, entries: Array<Definition>, };

export type Definition = {
/**
 * function, context, answer ...
 */
place: string, name: string, signatures: Array<string>, };

/**
 * A version that sees what is decided, and decides nothing.
 */
export type ShadowCard = { kind: string, name: string, version: string, digest: string, engine: string, file: string, actor: string, since: number,
/**
 * Decisions it was asked about after they were made.
 */
asked: number, agreed: number, disagreed: number, faults: number,
/**
 * Decisions that it did not see: it was too slow.
 */
dropped: number,
/**
 * By class, most frequent first.
 */
classes: Array<Counted>,
/**
 * The latest first; at most 10.
 */
disagreements: Array<Divergence>, };

/**
 * A version that decides a share of the questions.
 */
export type CanaryCard = { name: string, version: string, digest: string, engine: string, share: number, actor: string, reason: string, since: number, decisions: number, faults: number, faults_in_a_row: number, };

/**
 * Faults of the active version, and versions that were taken out of service for theirs.
 */
export type BreakerCard = { faults_in_a_row: number, faults_in_a_row_max: number, faults_in_window: number, faults_in_window_max: number, window_ms: number, tripped: Array<TrippedCard>, };

/**
 * Cannot be activated again before `until`, except by force.
 */
export type TrippedCard = { digest: string, until: number, why: string, };

/**
 * An input on which policies failed again and again: the built-in answers it.
 */
export type QuarantineCard = {
/**
 * To be handed back to release it.
 */
key: string, since: number, faults: number,
/**
 * What it is about, and the last fault.
 */
detail: string, };

export type VersionRow = { name: string, version: string, kind: string, engine: string,
/**
 * SHA-256 over code, settings and limits: names the version.
 */
digest: string,
/**
 * SHA-256 of the code alone, as `sha256sum FILE` prints it; in the detail of a version, where its code is kept.
 */
code_digest: string | null, code_bytes: number, first_seen: number,
/**
 * Time at which it was active last: the end of that time, or its begin if it still is.
 */
last_active_at: number | null,
/**
 * Whether it is active now.
 */
active: boolean, decisions: number, signed_by: string | null, };

/**
 * `GET /api/v1/policies/versions`, newest first.
 */
export type VersionList = { versions: Array<VersionRow>, };

/**
 * `GET /api/v1/policies/versions/{digest or name@version}`
 */
export type VersionDetail = { row: VersionRow, summary: string, settings: Array<PolicySetting>, fuel: number, deadline_ms: number, memory_bytes: number, state_version: number,
/**
 * Times at which it became active, latest first.
 */
activations: Array<Activation>, };

/**
 * `GET /api/v1/policies/diff?a=&b=`
 */
export type VersionDiff = { a: VersionRow, b: VersionRow,
/**
 * Only what differs.
 */
metadata: Array<FieldDiff>, settings: Array<FieldDiff>, limits: Array<FieldDiff>,
/**
 * Unified diff; none for components and where the code is the same.
 */
code: string | null, };

export type FieldDiff = { name: string,
/**
 * As text; none where it is not there.
 */
before: string | null, after: string | null, };

/**
 * `GET /api/v1/policies/decided-by?policy=DIGEST|NAME`: when it was active, and a page of what it decided, newest first.
 */
export type DecidedBy = { activations: Array<Activation>, decisions: Array<DecisionRow>, next_cursor: string | null, };

/**
 * Slots and what is in them. What is wanted and what is are apart: a stopped loop drains.
 */
export type Capacity = {
/**
 * What was asked for: started, stopped
 */
desired: string,
/**
 * What is: running, stopped, draining
 */
actual: string,
/**
 * Who asked for it, why, and since when; no time where nobody ever did.
 */
by: string, reason: string, since: number | null,
/**
 * Setting: most training runs.
 */
training_max: number,
/**
 * Setting: most runs of all classes.
 */
global_max: number,
/**
 * Setting: slots of these that evaluations and canaries alone may take.
 */
reserved_slots: number,
/**
 * `global_max` less `reserved_slots`.
 */
training_ceiling: number,
/**
 * Most training runs: the lesser of `training_max` and `training_ceiling`.
 */
training_cap: number,
/**
 * Training runs that may start now.
 */
training_free: number,
/**
 * Runs under way of each class.
 */
training: number, eval: number, canary: number, manual: number,
/**
 * All of them, and all but training.
 */
total: number, non_training: number,
/**
 * Why the total may be above the training cap, and what the cap is the lesser of, in one sentence.
 */
explanation: string, };

/**
 * The headline of queue and lanes; the page computes none of it.
 */
export type QueueCard = { queue: LaneCard, curriculum: LaneCard,
/**
 * Distinct hosts among what is pending.
 */
pending_hosts: number,
/**
 * Those of both lanes that wait for another attempt, and those that wait for a person.
 */
waiting: number, disabled: number,
/**
 * hybrid, queued_only, automatic_only
 */
lane_mode: string, lane_mode_label: string,
/**
 * The value that the coordinator works with.
 */
curriculum_fallback: boolean,
/**
 * What the fallback does now, in one sentence.
 */
fallback_text: string, campaign_lock: boolean, lock: LockCard | null,
/**
 * How hosts are chosen, in one sentence.
 */
host_policy: string, same_host_cap: number, recent_host_window: number, recent_hosts: Array<string>,
/**
 * none, queue_pending, curriculum_fallback: where the newest training run under way comes from
 */
selection_mode: string,
/**
 * Training runs under way, newest first.
 */
now: Array<NowRow>,
/**
 * Why nothing runs and nothing is eligible; none where something does or is.
 */
idle_reason: string | null,
/**
 * Lane mode, loop and selection mode, in one sentence.
 */
sentence: string,
/**
 * Share of what is pending in the queue that came from the page, in one sentence.
 */
ui_share: string, campaigns_open: number, };

export type LaneCard = {
/**
 * Pending and waiting sources, and of these by the door they came in.
 */
pending: number, ui: number, other: number, origins: Array<OriginCount>,
/**
 * Whether sources of this lane may be picked now.
 */
open: boolean,
/**
 * The oldest one that is pending, and since when.
 */
oldest: number | null, oldest_queued_at: number | null, };

export type OriginCount = { origin: string, pending: number, };

export type LockCard = {
/**
 * host, campaign
 */
key: string, value: string,
/**
 * The campaign whose end releases it; none where a person holds it.
 */
holder: number | null, since: number, by: string, reason: string, };

/**
 * A source that is executing.
 */
export type NowRow = { run: number, source: number, title: string, host: string | null, lane: string, origin: string, campaign: number | null, class: string, attempt: number, since: number, };

/**
 * `GET /api/v1/campaigns/{id}`
 */
export type CampaignRow = { id: number,
/**
 * `c-3`
 */
name: string, title: string, host: string | null, lane: string, total: number, done: number,
/**
 * Of `total`, in percent.
 */
percent: number, queued: number, running: number,
/**
 * Given up or disabled.
 */
failed: number, cancelled: number,
/**
 * queued, running, cancelled, ended
 */
state: string, first_source: number, queued_at: number, started_at: number | null, finished_at: number | null, by: string, reason: string, cancelled_by: string | null, cancel_reason: string | null, holds_lock: boolean, };

/**
 * `GET /api/v1/campaigns`, newest first.
 */
export type CampaignList = { campaigns: Array<CampaignRow>, next_cursor: string | null, };

/**
 * `GET /api/v1/queue`: the headline, and where outcomes are kept.
 */
export type QueueSummary = { at: number, queue: QueueCard, capacity: Capacity, outcomes: OutcomeStorage, alerts: Array<Alert>, };

/**
 * Outcomes are appended and never rewritten.
 */
export type OutcomeStorage = {
/**
 * ok, read_only
 */
status: string, outcomes: number, entries: number, bytes: number, };

/**
 * `GET /api/v1/sources/next`: the live question on the live state, asked without anything following from it.
 */
export type NextPick = { at: number,
/**
 * none, queue_pending, curriculum_fallback
 */
selection_mode: string,
/**
 * Whether it would be picked at this moment; what stands in the way is in `holds`.
 */
now: boolean, holds: Array<Excluded>,
/**
 * What the policy picks, best first.
 */
picks: Array<NextCandidate>,
/**
 * The others that it was asked about.
 */
others: Array<NextCandidate>,
/**
 * Eligible, and not in the question.
 */
left_out: number,
/**
 * Not eligible, by the rule that keeps them out.
 */
excluded: Array<Excluded>,
/**
 * The decision as it would be recorded; none where nothing is eligible.
 */
decision: DecisionRow | null,
/**
 * The source that was asked about.
 */
about: WhyNot | null,
/**
 * The whole in one sentence.
 */
sentence: string, };

export type NextCandidate = { source: number, title: string, host: string | null, lane: string, origin: string, campaign: string | null, age_s: number, attempts: number, priority: number,
/**
 * What the policy gave it, and what that is the sum of.
 */
score: number | null, terms: Array<ScoreTerm>,
/**
 * Rules of the policy that kept it out.
 */
blocked: Array<string>,
/**
 * Chance of being drawn, where the policy leaves the pick to chance.
 */
chance: number | null, };

export type ScoreTerm = { name: string, value: number, };

export type Excluded = { code: string,
/**
 * Sources that it keeps out; none where it is all of them, for the time being.
 */
sources: number | null, text: string, fix: string | null, };

/**
 * Why one source is not picked.
 */
export type WhyNot = { source: number, picked: boolean,
/**
 * It is among those that the policy is asked about.
 */
candidate: boolean, reasons: Array<Excluded>, };

/**
 * `GET /api/v1/sources/{id}`
 */
export type SourceDetail = { row: SourceRow, body: string,
/**
 * Tells it apart from every other row: `c-3/12`.
 */
marker: string | null, runs: Array<number>, };

/**
 * One line of the answer to `POST /api/v1/sources/import`.
 */
export type ImportLine = { "started": { nonce: string, } } | { "progress": ImportProgress } | { "refused": RefusedLine } | { "report": ImportReport } | { "problem": Problem };

export type ImportProgress = { lines: number, bytes: number, queued: number, known: number, refused: number, };

export type RefusedLine = {
/**
 * From 1.
 */
line: number,
/**
 * Empty where the line as a whole is wrong.
 */
field: string, problem: string, fix: string, };

export type ImportReport = { nonce: string, lines: number, bytes: number,
/**
 * Sources that are new.
 */
queued: number,
/**
 * Lines that were taken by an earlier try of the same import.
 */
known: number,
/**
 * Lines that were not taken; each was told on a line of its own.
 */
refused: number,
/**
 * Empty ones.
 */
blank: number, };

/** A point of a loss curve: step, training loss, held-out loss. */
export type Point = [number, number | null, number | null];
