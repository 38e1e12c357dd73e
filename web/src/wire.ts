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
 * Time of the journal's last entry, in milliseconds since 1970.
 */
at: number,
/**
 * What this was made from and when.
 */
view: ViewStamp, version: string, training: TrainingState, capacity: Capacity, queue: QueueCard,
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
running: number,
/**
 * Most training runs that there may be: the effective ceiling.
 */
cap: number, by: string, reason: string,
/**
 * When it was started or stopped.
 */
since: number | null, };

export type Stage = { slug: string, label: string,
/**
 * The stage's number: sources that wait, runs under way, outcomes so far, applies so far.
 */
count: number,
/**
 * One short line under the count: `+2 curriculum`.
 */
detail: string, };

/**
 * Successes toward the next evaluation.
 */
export type Window = {
/**
 * Successes that make an evaluation due; a live setting.
 */
size: number,
/**
 * Successes since the watermark, at most the size.
 */
done: number,
/**
 * Successes that are missing until the next evaluation is due.
 */
remaining: number,
/**
 * Successes that evaluations have used up already.
 */
watermark: number,
/**
 * none, collecting, eval_due, evaluating, canary, applied, rolled_back, blocked, held
 */
state: string, state_label: string, };

export type Totals = {
/**
 * Training runs that have succeeded or failed; cancelled ones do not count.
 */
outcomes: number,
/**
 * Training runs that have succeeded.
 */
successes: number,
/**
 * Training runs that have failed, each attempt by itself.
 */
failures: number,
/**
 * Over the latest 100 outcomes.
 */
recent_successes: number,
/**
 * Outcomes that the rolling rate is over: at most 100.
 */
recent_outcomes: number,
/**
 * Models that went live after they passed their evaluation and canary.
 */
live_applies: number,
/**
 * Candidates that were turned down.
 */
rejected: number,
/**
 * Times that the model before came back, by hand or by rule.
 */
rolled_back: number,
/**
 * Decisions made, by whomever.
 */
decisions: number,
/**
 * Decisions that the active policy did not answer: one further down the chain did.
 */
fallbacks: number,
/**
 * Times that another policy version became active.
 */
swaps: number, };

/**
 * Held-out loss of one host in bits per byte.
 */
export type HostBits = { host: string,
/**
 * Held-out loss in bits per byte; lower is better.
 */
bits: number, };

export type ModelCard = { tag: string, digest: string, parent: string | null,
/**
 * When it went live.
 */
live_since: number | null,
/**
 * Mean over hosts; none before the first evaluation.
 */
mean: number | null, hosts: Array<HostBits>,
/**
 * Standard requests answered since this host process started.
 */
answered: number, };

export type HostComparison = { host: string,
/**
 * The baseline's mean loss on this host, in bits per byte.
 */
baseline: number,
/**
 * The candidate's mean loss on this host, in bits per byte.
 */
candidate: number,
/**
 * Held-out blocks of this host that both were scored on.
 */
pairs: number, };

export type CandidateCard = { tag: string, baseline: string,
/**
 * evaluating, canary, watching, held
 */
stage: string, stage_label: string,
/**
 * When it was raised.
 */
since: number,
/**
 * Looks that the gate has taken in this stage.
 */
looks: number,
/**
 * Pairs seen in this stage: each is one text that both models were scored on.
 */
pairs: number,
/**
 * Most pairs of this stage; then it is over, proven or not.
 */
pairs_cap: number,
/**
 * Means over the hosts of the evaluation.
 */
baseline_mean: number | null,
/**
 * Mean over the hosts of the candidate's held-out loss.
 */
candidate_mean: number | null, hosts: Array<HostComparison>,
/**
 * The gate's latest words.
 */
latest_reason: string,
/**
 * Number of the gate's latest decision about it.
 */
latest_decision: number | null, };

export type Apply = {
/**
 * When the model went live.
 */
at: number, model: string, before: string,
/**
 * Held-out loss of the model before, in bits per byte, as the evaluation measured it.
 */
bits_before: number | null,
/**
 * Held-out loss of the new model, in bits per byte, as the evaluation measured it.
 */
bits_after: number | null,
/**
 * Number of the gate's decision; none where a person decided.
 */
decision: number | null, };

export type PolicyCard = { kind: string,
/**
 * Counts the activations and rollbacks of this kind.
 */
generation: number, name: string, version: string, digest: string,
/**
 * component, rhai, built-in
 */
engine: string, summary: string,
/**
 * Journal position since which it is active.
 */
since_seq: number,
/**
 * The last decision before it: it is asked since the next.
 */
since_decision: number | null,
/**
 * When it became active.
 */
since: number, actor: string, reason: string,
/**
 * Decisions this generation has answered, and its faults.
 */
decisions: number,
/**
 * Questions that it was asked and did not answer.
 */
faults: number,
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
code: string, stage: string, file: string,
/**
 * Line of the file, from 1.
 */
line: number | null,
/**
 * Column of the line, from 1.
 */
column: number | null, message: string,
/**
 * The cure.
 */
fix: string | null, };

export type JobRow = {
/**
 * Its number.
 */
id: number, name: string, class: string, host: string | null,
/**
 * Number of its source.
 */
source: number | null,
/**
 * 1 for the first try of its source.
 */
attempt: number,
/**
 * queued, warming, running, completed, failed, cancelled
 */
status_slug: string, status_label: string,
/**
 * When it was planned.
 */
created_at: number,
/**
 * When it began.
 */
started_at: number | null,
/**
 * When it ended; none while it goes on.
 */
finished_at: number | null,
/**
 * Steps made so far.
 */
steps: number | null,
/**
 * Latest loss in bits per byte.
 */
loss: number | null, model: string | null, base: string | null, error: string | null, failure_class: string | null,
/**
 * Number of the decision that picked it.
 */
decision: number | null, };

export type DecisionRow = {
/**
 * Its number.
 */
id: number,
/**
 * Its position in the journal.
 */
seq: number,
/**
 * When it happened.
 */
at: number, kind: string,
/**
 * The verdict's word: pick, retry, advance ...
 */
verdict: string,
/**
 * The verdict in words: `picks #12 novel`.
 */
summary: string, subject: string, reasons: Array<ReasonRow>, policy: string, digest: string, engine: string,
/**
 * Generation of its kind that was active.
 */
generation: number,
/**
 * candidate, active, last_good, built_in
 */
link: string,
/**
 * Instructions that the answer took, as the sandbox counts them; none for what runs natively.
 */
fuel: number | null,
/**
 * Time from question to checked answer, in microseconds of CPU.
 */
micros: number,
/**
 * Links asked before, and why they did not answer.
 */
declined: Array<DeclinedRow>, };

export type ReasonRow = { code: string, text: string, feature: string | null,
/**
 * The number that was looked at.
 */
value: number | null,
/**
 * What it was compared with.
 */
threshold: number | null,
/**
 * How far the one was from the other.
 */
margin: number | null, };

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
log: Array<string>, artifacts: Array<string>,
/**
 * What it was given of the learning memory; none where nothing is on record.
 */
memory: JobMemory | null, };

/**
 * A frame from server to viewer on `/ws`. Connect with `?since=SEQ&epoch=EPOCH` to resume.
 */
export type Frame = { "type": "hello", epoch: string, version: string, seq: number, } | { "type": "snapshot", model: string, seq: number, state: Dashboard, } | { "type": "state.read.model.patch", model: string, from: number, seq: number, patch: Array<{ op: string; path: string; from?: string; value?: unknown }>, } | { "type": "samples", run: number, points: Array<[number, number | null, number | null]>, } | { "type": "gap", from: number, to: number, };

/**
 * RFC 9457.
 */
export type Problem = { type: string, title: string,
/**
 * The HTTP status.
 */
status: number, detail: string,
/**
 * Stable, for scripts; `pointsman policy explain` has a page on those that start with PM.
 */
code: string,
/**
 * Fields at fault.
 */
errors: Array<FieldError>,
/**
 * The cure.
 */
fix: string | null,
/**
 * Path of the request.
 */
instance?: string,
/**
 * To be quoted when asking for help: the host's log names it, too. It is the caller's, where the request has a traceparent.
 */
trace_id?: string, };

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

export type SourceRow = {
/**
 * Its number.
 */
id: number, title: string, host: string | null,
/**
 * queue, curriculum
 */
lane: string, origin: string,
/**
 * Higher is earlier, if the policy heeds it.
 */
priority: number,
/**
 * Number of its campaign, and its row there.
 */
campaign: number | null,
/**
 * Its row in the campaign, from 1.
 */
campaign_row: number | null,
/**
 * pending, running, waiting, disabled, done, given_up, cancelled
 */
status: string, status_label: string, reason: string | null,
/**
 * Runs that it has had.
 */
attempts: number,
/**
 * When it was submitted.
 */
queued_at: number,
/**
 * When it may be tried again; none where it does not wait.
 */
retry_at: number | null,
/**
 * When it ended; none while it goes on.
 */
finished_at: number | null, };

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

export type ModelRow = { tag: string, parent: string | null,
/**
 * Number of the run that made it.
 */
run: number, digest: string,
/**
 * Size of its file.
 */
bytes: number,
/**
 * When it was made.
 */
made_at: number, host: string | null,
/**
 * When it was retired; none while it is kept.
 */
retired_at: number | null, live: boolean,
/**
 * By whom and why it is pinned: then it is never pruned.
 */
pinned: string | null, };

/**
 * A time at which another model went live, and why.
 */
export type LiveChange = {
/**
 * Its position in the journal.
 */
seq: number,
/**
 * When it happened.
 */
at: number, model: string, before: string | null,
/**
 * bootstrapped, applied, rolled_back
 */
cause: string,
/**
 * Number of the gate's decision, where one led to it.
 */
decision: number | null, actor: string | null, reason: string | null, };

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
export type Activation = {
/**
 * Its position in the journal.
 */
seq: number,
/**
 * When it happened.
 */
at: number, kind: string,
/**
 * The generation it became.
 */
generation: number, policy: string, digest: string, engine: string, previous: string | null, actor: string, reason: string, rolled_back: boolean,
/**
 * Kinds that were activated together have the same number.
 */
set: number | null,
/**
 * To be confirmed by this time, or it was taken back.
 */
confirm_by: number | null,
/**
 * When somebody confirmed it.
 */
confirmed_at: number | null,
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
after_decision: number,
/**
 * The last decision of its time; none while it is active.
 */
last_decision: number | null,
/**
 * What the swap's stages found, as it was recorded.
 */
report: unknown, };

export type PolicySetting = { name: string, help: string, value: boolean | number | string, default: boolean | number | string,
/**
 * Least value that is taken.
 */
minimum: number | null,
/**
 * Largest value that is taken.
 */
maximum: number | null, };

export type PolicyDetail = { card: PolicyCard, settings: Array<PolicySetting>,
/**
 * Instructions that one decision may take.
 */
fuel: number,
/**
 * CPU time that one decision may take.
 */
deadline_ms: number,
/**
 * Memory that one decision may take.
 */
memory_bytes: number,
/**
 * Size of its code.
 */
code_bytes: number,
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
export type Done = {
/**
 * Number of the source it was about.
 */
source: number | null,
/**
 * Number of the run it was about.
 */
run: number | null,
/**
 * Generation that is active now.
 */
generation: number | null,
/**
 * The campaign that was queued.
 */
campaign: number | null,
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
status: string,
/**
 * When it began.
 */
started_at: number,
/**
 * When it ended; none while it goes on.
 */
finished_at: number | null,
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
done: number | null,
/**
 * Of how many.
 */
total: number | null, };

/**
 * `GET /api/v1/policies/swaps`, newest first.
 */
export type SwapList = { swaps: Array<Swap>, next_cursor: string | null, };

/**
 * What a version would have decided on the recorded contexts, beside what was decided.
 */
export type ReplayReport = { kind: string, policy: string, digest: string,
/**
 * The window: its first and last decision, and when they were made.
 */
first_decision: number | null,
/**
 * Last decision of the window.
 */
last_decision: number | null,
/**
 * When the first of them was made.
 */
from: number | null,
/**
 * When the last of them was made.
 */
until: number | null,
/**
 * Recorded decisions looked at: those replayed and those that cannot be.
 */
looked_at: number,
/**
 * Recorded decisions that were asked again.
 */
replayed: number, not_replayable: Array<Counted>,
/**
 * Decisions with the verdict that was recorded.
 */
same: number,
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
 * It answered otherwise in an instance that had decided before: it keeps something in its memory, where it must not.
 * What is told here are the answers of fresh instances, as live.
 */
remembers: boolean,
/**
 * By class, most frequent first; `reason_only` is not a change of the verdict.
 */
classes: Array<Counted>,
/**
 * Decisions that fail now and did not.
 */
new_errors: number,
/**
 * Decisions that failed and do not now.
 */
errors_gone: number,
/**
 * Of the recorded decisions, and of the replay: of the first some hundred, of those that change and of one in sixteen.
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
groups: Array<ReplayGroup>,
/**
 * Groups that are not shown.
 */
groups_left_out: number,
/**
 * Each change, oldest first, as many as were asked for.
 */
cases: Array<Divergence>,
/**
 * Changes that are not shown.
 */
cases_left_out: number, budgets: ReplayBudgets,
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
changed_share_max: number | null,
/**
 * Most decisions that may fail now and did not.
 */
new_errors_max: number,
/**
 * Most that the median fuel may grow by, as a factor.
 */
fuel_factor_max: number | null,
/**
 * Classes of change that must not occur.
 */
forbidden: Array<string>, };

export type Counted = { slug: string, label: string,
/**
 * How many there are.
 */
count: number, };

/**
 * Fuel of decisions, by rank; none where nothing is known.
 */
export type CostSummary = {
/**
 * Median of the fuel.
 */
fuel_p50: number | null,
/**
 * The fuel that 99 of 100 decisions keep within.
 */
fuel_p99: number | null, };

/**
 * A recorded decision that would have been another.
 */
export type Divergence = {
/**
 * Number of the recorded decision.
 */
decision: number,
/**
 * When it happened.
 */
at: number,
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
dimension: string, key: string,
/**
 * Replayed decisions that touch it.
 */
replayed: number,
/**
 * Of these, those that change.
 */
changed: number,
/**
 * Decided for it before and not after, and the other way round.
 */
lost: number,
/**
 * Decided for it after and not before.
 */
gained: number, };

/**
 * Time of the recorded decisions and of the replay. Beside the report, which is the same each time; this is not.
 */
export type ReplayTiming = { before: TimeSummary, after: TimeSummary, };

/**
 * Time of decisions in microseconds, by rank; none where nothing is known.
 */
export type TimeSummary = {
/**
 * Median of the time.
 */
micros_p50: number | null,
/**
 * The time that 99 of 100 decisions keep within.
 */
micros_p99: number | null, };

/**
 * What a version of source selection would have been worth on recorded decisions whose picks were left to chance. The
 * reward of a decision is 1 where the run that it began succeeded and 0 where it failed.
 */
export type ValueReport = { kind: string, policy: string, digest: string,
/**
 * The window: its first and last decision, and when they were made.
 */
first_decision: number | null,
/**
 * Last decision of the window.
 */
last_decision: number | null,
/**
 * When the first of them was made.
 */
from: number | null,
/**
 * When the last of them was made.
 */
until: number | null,
/**
 * Recorded decisions looked at.
 */
looked_at: number,
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
errors: number,
/**
 * Where it picks nothing, though there is something to pick.
 */
idles: number,
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
effective_n: number,
/**
 * Largest weight of a single decision.
 */
weight_max: number,
/**
 * Of the version's picks, on candidates that the recorded policy gave no chance.
 */
unsupported_share: number,
/**
 * Decisions whose recorded pick the version might have made, too.
 */
matched: number, };

export type ValueEstimate = {
/**
 * The estimate: a share of successes, or a difference of two.
 */
value: number,
/**
 * Lower end of its interval.
 */
low: number,
/**
 * Upper end of its interval.
 */
high: number, };

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

export type ReplayProgress = {
/**
 * Decisions done.
 */
done: number,
/**
 * Decisions to do.
 */
total: number, };

/**
 * Recorded decisions made again by the versions that made them.
 */
export type VerificationReport = {
/**
 * Recorded decisions looked at.
 */
looked_at: number,
/**
 * Verdict, reasons, scores, state and fuel.
 */
identical: number,
/**
 * The verdict, and not all of the rest.
 */
same_verdict: number,
/**
 * Decisions with another verdict than was recorded.
 */
diverged: number,
/**
 * Decisions that cannot be made again; why_not says why.
 */
not_replayable: number, why_not: Array<Counted>,
/**
 * Engines that the decisions were made by.
 */
engines: Array<string>,
/**
 * The oldest that are not identical.
 */
rows: Array<VerificationRow>, };

export type VerificationRow = {
/**
 * Number of the decision.
 */
decision: number, kind: string, policy: string,
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
export type FlipReport = {
/**
 * Number of the decision.
 */
decision: number, policy: string, flips: Array<FlipRow>,
/**
 * Numbers of the context that were moved, and questions that were asked.
 */
fields: number,
/**
 * Questions that were asked.
 */
asked: number,
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
field: string,
/**
 * The number as it was.
 */
from: number,
/**
 * The nearest number that makes another decision.
 */
to: number,
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
export type ShadowCard = { kind: string, name: string, version: string, digest: string, engine: string, file: string, actor: string,
/**
 * When it began.
 */
since: number,
/**
 * Decisions it was asked about after they were made.
 */
asked: number,
/**
 * Of these, those with the same verdict.
 */
agreed: number,
/**
 * Of these, those with another verdict.
 */
disagreed: number,
/**
 * Of these, those it did not answer.
 */
faults: number,
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
export type CanaryCard = { name: string, version: string, digest: string, engine: string,
/**
 * Share of the questions that it decides.
 */
share: number, actor: string, reason: string,
/**
 * When it began.
 */
since: number,
/**
 * Questions that it has decided.
 */
decisions: number,
/**
 * Questions that it was asked and did not answer.
 */
faults: number,
/**
 * Of these, the latest in a row.
 */
faults_in_a_row: number, };

/**
 * Faults of the active version, and versions that were taken out of service for theirs.
 */
export type BreakerCard = {
/**
 * Latest questions in a row that it did not answer.
 */
faults_in_a_row: number,
/**
 * At so many it is taken out of service.
 */
faults_in_a_row_max: number,
/**
 * Questions of the window that it did not answer.
 */
faults_in_window: number,
/**
 * At so many it is taken out of service.
 */
faults_in_window_max: number,
/**
 * Length of the window.
 */
window_ms: number, tripped: Array<TrippedCard>, };

/**
 * Cannot be activated again before `until`, except by force.
 */
export type TrippedCard = { digest: string,
/**
 * When it may be activated again.
 */
until: number, why: string, };

/**
 * An input on which policies failed again and again: the built-in answers it.
 */
export type QuarantineCard = {
/**
 * To be handed back to release it.
 */
key: string,
/**
 * When it began.
 */
since: number,
/**
 * Times that policies failed on it.
 */
faults: number,
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
code_digest: string | null,
/**
 * Size of its code.
 */
code_bytes: number,
/**
 * When it came to this host.
 */
first_seen: number,
/**
 * Time at which it was active last: the end of that time, or its begin if it still is.
 */
last_active_at: number | null,
/**
 * Whether it is active now.
 */
active: boolean,
/**
 * Decisions that it has answered.
 */
decisions: number, signed_by: string | null, };

/**
 * `GET /api/v1/policies/versions`, newest first.
 */
export type VersionList = { versions: Array<VersionRow>, next_cursor: string | null, };

/**
 * `GET /api/v1/policies/versions/{digest or name@version}`
 */
export type VersionDetail = { row: VersionRow, summary: string, settings: Array<PolicySetting>,
/**
 * Instructions that one decision may take.
 */
fuel: number,
/**
 * CPU time that one decision may take.
 */
deadline_ms: number,
/**
 * Memory that one decision may take.
 */
memory_bytes: number,
/**
 * Version of the shape of its state.
 */
state_version: number,
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
 * `GET /api/v1/help`: what fields mean.
 */
export type HelpList = {
/**
 * In the order of their names.
 */
fields: Array<FieldHelp>, };

/**
 * What one field of the API means: the same words on the page, on the command line and in the document.
 */
export type FieldHelp = {
/**
 * `Type.field`, or a type by itself; a live setting is `Settings.name`.
 */
name: string, help: string,
/**
 * number, text, flag, list, object; with a `?` where it may be none.
 */
kind: string, };

/**
 * What a read model was made from and when: shown with it, so that nobody takes old figures for new ones.
 */
export type ViewStamp = {
/**
 * Digest of the content: equal for equal content, whatever the time. The answer's ETag is the same.
 */
fingerprint: string,
/**
 * Journal position it was made at.
 */
seq: number,
/**
 * Server time at which it was made.
 */
generated_at: number,
/**
 * How old it was when it was sent; 0 where it was made for this answer. What is streamed has 0: count from generated_at.
 */
age_ms: number,
/**
 * How long it may be shown before it has to be read again.
 */
ttl_ms: number, };

/**
 * `GET /api/v1/settings/form`: every live setting with its words and bounds, and the ceilings that follow from them.
 */
export type SettingsForm = { view: ViewStamp,
/**
 * To be sent as `If-Match` with a change.
 */
etag: string, groups: Array<SettingsGroup>,
/**
 * Facts that executors declare of themselves; not to be changed here.
 */
declared: Array<SettingRow>,
/**
 * How many training runs there may really be, and what runs.
 */
capacity: Capacity, };

/**
 * Settings that belong together.
 */
export type SettingsGroup = {
/**
 * training, promotion, guards, all_tasks
 */
slug: string, label: string, help: string,
/**
 * Whether they may be changed here.
 */
writable: boolean, settings: Array<SettingRow>, };

/**
 * One live setting.
 */
export type SettingRow = { name: string, label: string, help: string,
/**
 * runs, s, share ...; empty where it has none.
 */
unit: string,
/**
 * As the coordinator has it now.
 */
value: boolean | number | string | null, default: boolean | number | string | null,
/**
 * Least value that is taken; it may depend on other settings.
 */
minimum: number | null,
/**
 * Largest value that is taken; it may depend on other settings.
 */
maximum: number | null,
/**
 * Words it is one of; empty where it is no word.
 */
choices: Array<string>,
/**
 * Whether it may be none.
 */
may_be_none: boolean, };

/**
 * How many training runs there may really be, and why.
 */
export type Ceiling = {
/**
 * Most runs of all classes.
 */
global_max: number,
/**
 * Slots of these that training never takes.
 */
reserved_slots: number,
/**
 * What the reserved slots leave: global_max less reserved_slots.
 */
left_for_training: number,
/**
 * Most training runs that are wanted.
 */
training_max_active: number,
/**
 * Most training runs that there will be: the lesser of the two before.
 */
effective: number,
/**
 * The same in one sentence.
 */
words: string, };

/**
 * One setting that is, or would be, changed.
 */
export type SettingDiff = { name: string, label: string, before: boolean | number | string | null, after: boolean | number | string | null, };

/**
 * Answer of a change of settings, or of its dry run.
 */
export type SettingsAnswer = {
/**
 * Nothing was changed: this is what would be.
 */
dry_run: boolean,
/**
 * Empty where the live values are the wanted ones already.
 */
changes: Array<SettingDiff>,
/**
 * Journal position of the change; none where nothing was changed.
 */
seq: number | null,
/**
 * The tag of the settings as they are now, or would be.
 */
etag: string,
/**
 * The settings as they are now, or would be.
 */
settings: Record<string, boolean | number | string | null>, ceiling: Ceiling, };

/**
 * `GET /api/v1/settings/history`, newest first.
 */
export type SettingsHistory = { changes: Array<SettingsChange>, next_cursor: string | null, };

/**
 * One change of settings: who, when, what and why.
 */
export type SettingsChange = {
/**
 * Journal position; undo it by this number.
 */
seq: number,
/**
 * When it was made.
 */
at: number, actor: string, reason: string,
/**
 * edited, undone, preset, configured
 */
cause: string,
/**
 * The change that was undone.
 */
undoes: number | null,
/**
 * The preset that was applied.
 */
preset: string | null, changes: Array<SettingDiff>, };

/**
 * `GET /api/v1/settings/presets`, by name.
 */
export type PresetList = { presets: Array<PresetRow>, };

/**
 * Values of some settings under a name.
 */
export type PresetRow = { name: string, note: string,
/**
 * The values it sets, by the name of the setting.
 */
values: Record<string, boolean | number | string | null>, actor: string,
/**
 * When it was saved.
 */
saved_at: number,
/**
 * Whether the live settings have these values now.
 */
is_live: boolean, };

/**
 * Body of `PUT /api/v1/settings/presets/{name}`.
 */
export type PresetBody = {
/**
 * Values by the name of the setting; all that may be changed here, as they are now, where none are named.
 */
values: Record<string, boolean | number | string | null>,
/**
 * What it is for.
 */
note: string, };

/**
 * `GET /api/v1/health`: whether the host works, part by part. The same derivation everywhere it is shown.
 */
export type HealthReport = { view: ViewStamp,
/**
 * The worst of its parts: ok, degraded, down
 */
status: string, status_label: string,
/**
 * Sources of both lanes that wait to be run.
 */
queue_depth: number,
/**
 * worker, scheduler, model_server, journal
 */
components: Array<HealthPart>, };

/**
 * One part of the host.
 */
export type HealthPart = {
/**
 * worker, scheduler, model_server, journal
 */
slug: string, label: string,
/**
 * ok, idle, degraded, down
 */
status: string,
/**
 * What it does, or what is wrong with it.
 */
text: string,
/**
 * The cure.
 */
fix: string | null, };

/**
 * `GET /api/v1/snapshot`: whether settings took effect and training goes on.
 */
export type LiveSnapshot = { view: ViewStamp, health: HealthReport, heartbeat: Heartbeat,
/**
 * When the journal got its last entry.
 */
last_updated: number,
/**
 * none, collecting, eval_due, evaluating, canary, applied, rolled_back, blocked, held
 */
promotion: string, promotion_label: string,
/**
 * The newest training run.
 */
latest_cycle: Cycle | null,
/**
 * All successful outcomes so far.
 */
successes: number,
/**
 * Successes at which the next evaluation is due: the watermark plus the promotion window.
 */
next_eval_due: number, evaluation: EvaluationAttempt, last_error: LastError | null, oldest_pending: OldestPending | null, trace_coverage: Coverage, recent: RecentOutcomes, pipeline: Array<PipelineStage>, };

/**
 * The loop's sign of life.
 */
export type Heartbeat = {
/**
 * When the coordinator's loop last turned; none before its first turn.
 */
at: number | null,
/**
 * Time since then.
 */
age_ms: number | null,
/**
 * At this age the loop may be stuck.
 */
stale_after_ms: number, stale: boolean, };

/**
 * One source, its run and its outcome.
 */
export type Cycle = {
/**
 * Number of the run.
 */
run: number,
/**
 * Number of its source.
 */
source: number | null, title: string,
/**
 * queued, warming, running, completed, failed, cancelled
 */
status_slug: string, status_label: string,
/**
 * Whether it has ended: completed, failed and cancelled are terminal, queued and running are not.
 */
terminal: boolean,
/**
 * When it reached this status.
 */
at: number, };

/**
 * The latest attempt to evaluate a candidate.
 */
export type EvaluationAttempt = {
/**
 * When it was planned; none where there was none.
 */
at: number | null,
/**
 * none, triggered, blocked, completed, failed
 */
result: string,
/**
 * The gate's words, or why the attempt failed.
 */
reason: string,
/**
 * The gate's decision.
 */
decision: number | null,
/**
 * When it is tried again; none where it need not be.
 */
retry_at: number | null, };

/**
 * The latest thing that went wrong. It need not be a run: a gate that rejects says so here, too.
 */
export type LastError = {
/**
 * When it went wrong.
 */
at: number,
/**
 * run, gate, policy, storage
 */
class: string,
/**
 * A word for scripts: the failure's class, how the candidate ended, the kind of policy, read_only.
 */
code: string, text: string,
/**
 * Number of the run, where it is one that failed.
 */
run: number | null,
/**
 * Number of the gate's decision, where that is what went wrong.
 */
decision: number | null, };

/**
 * The source that has waited longest; its age tells of a backlog.
 */
export type OldestPending = {
/**
 * Number of the source.
 */
source: number, title: string,
/**
 * When it was submitted.
 */
queued_at: number,
/**
 * How long it has waited.
 */
age_ms: number, };

/**
 * Share of recent outcomes that left a loss curve or events to look into.
 */
export type Coverage = {
/**
 * Recent outcomes with a usable trace.
 */
with_trace: number,
/**
 * Recent outcomes looked at.
 */
outcomes: number,
/**
 * The first as a percentage of the second; none where there are no outcomes.
 */
percent: number | null, };

/**
 * The rolling success rate, always with its count.
 */
export type RecentOutcomes = {
/**
 * Successes among them.
 */
successes: number,
/**
 * Outcomes in the window.
 */
outcomes: number,
/**
 * Most outcomes that the window holds.
 */
window: number,
/**
 * The first as a percentage of the second; none where there are no outcomes.
 */
percent: number | null, };

/**
 * `GET /api/v1/pipeline`: queued, executing, success rate, live applies.
 */
export type PipelineStrip = { view: ViewStamp, stages: Array<PipelineStage>, };

/**
 * One stage of the way from a source to a live model.
 */
export type PipelineStage = {
/**
 * queued, executing, success_rate, live_applies
 */
slug: string, label: string,
/**
 * The stage's number: sources, runs, recent successes, applies.
 */
count: number,
/**
 * The same as it is to be shown: `12`, `80 %`, or `-` where nothing is known yet.
 */
value: string,
/**
 * One short line under it.
 */
detail: string, };

/**
 * `GET /api/v1/evidence?since=SEQ`: what has become better since a position of the journal.
 */
export type Evidence = { view: ViewStamp,
/**
 * The baseline: figures are about the entries after it.
 */
since: number,
/**
 * When the baseline's entry was made; none for the journal's beginning.
 */
baseline_at: number | null,
/**
 * Outcomes of training runs since the baseline, cancelled ones aside.
 */
outcomes_gained: number,
/**
 * Successful outcomes since the baseline.
 */
successes_gained: number,
/**
 * Models that went live after their evaluation and canary since the baseline.
 */
live_applies_gained: number,
/**
 * Times since the baseline at which the model before came back.
 */
rolled_back_gained: number,
/**
 * Sources of the operators' queue that were done or given up since the baseline.
 */
queue_consumed: number,
/**
 * Decisions of policies since the baseline.
 */
decisions_gained: number,
/**
 * When another model went live last since the baseline, by promotion or by a rollback.
 */
last_model_switch: number | null,
/**
 * What each figure is counted from.
 */
provenance: Array<Provenance>, };

/**
 * Where a figure comes from.
 */
export type Provenance = { field: string,
/**
 * The journal's entries that are counted.
 */
counted: string, };

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
by: string, reason: string,
/**
 * When it was asked for; none where nobody ever did.
 */
since: number | null,
/**
 * Most training runs, and what that follows from.
 */
ceiling: Ceiling,
/**
 * Training runs that may start now.
 */
training_free: number,
/**
 * Runs under way of each class.
 */
training: number,
/**
 * Evaluations under way.
 */
eval: number,
/**
 * Canaries under way.
 */
canary: number,
/**
 * Runs under way that a person began.
 */
manual: number,
/**
 * All of them, and all but training.
 */
total: number,
/**
 * Runs under way of all classes but training.
 */
non_training: number,
/**
 * Why the total may be above the training ceiling, in words.
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
waiting: number,
/**
 * Sources that wait for a person.
 */
disabled: number,
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
host_policy: string,
/**
 * Setting: most runs of one host at a time.
 */
same_host_cap: number,
/**
 * Setting: picks for which a host counts as lately picked.
 */
recent_host_window: number, recent_hosts: Array<string>,
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
ui_share: string,
/**
 * Campaigns with sources that have not ended.
 */
campaigns_open: number, };

export type LaneCard = {
/**
 * Pending and waiting sources, and of these by the door they came in.
 */
pending: number,
/**
 * Those that the page queued.
 */
ui: number,
/**
 * Those that came in otherwise than by the page.
 */
other: number, origins: Array<OriginCount>,
/**
 * Whether sources of this lane may be picked now.
 */
open: boolean,
/**
 * The oldest one that is pending, and since when.
 */
oldest: number | null,
/**
 * When the oldest pending one was queued.
 */
oldest_queued_at: number | null, };

export type OriginCount = { origin: string,
/**
 * Pending and waiting sources that came in this way.
 */
pending: number, };

export type LockCard = {
/**
 * host, campaign
 */
key: string, value: string,
/**
 * The campaign whose end releases it; none where a person holds it.
 */
holder: number | null,
/**
 * When it was taken.
 */
since: number, by: string, reason: string, };

/**
 * A source that is executing.
 */
export type NowRow = {
/**
 * Its number.
 */
run: number,
/**
 * What it trains on.
 */
source: number, title: string, host: string | null, lane: string, origin: string,
/**
 * The campaign that its source belongs to.
 */
campaign: number | null, class: string,
/**
 * Which attempt of its source it is.
 */
attempt: number,
/**
 * When it began.
 */
since: number, };

/**
 * `GET /api/v1/campaigns/{id}`
 */
export type CampaignRow = {
/**
 * Its number.
 */
id: number,
/**
 * `c-3`
 */
name: string, title: string, host: string | null, lane: string,
/**
 * Sources that it was queued with.
 */
total: number,
/**
 * Sources that succeeded.
 */
done: number,
/**
 * Of `total`, in percent.
 */
percent: number,
/**
 * Sources that wait.
 */
queued: number,
/**
 * Sources that run.
 */
running: number,
/**
 * Given up or disabled.
 */
failed: number,
/**
 * Sources that were taken out before they ran to an end.
 */
cancelled: number,
/**
 * queued, running, cancelled, ended
 */
state: string,
/**
 * Number of its first source; the others follow it.
 */
first_source: number,
/**
 * When it was queued.
 */
queued_at: number,
/**
 * When its first run began; none before.
 */
started_at: number | null,
/**
 * When its last source ended; none while some are open.
 */
finished_at: number | null, by: string, reason: string, cancelled_by: string | null, cancel_reason: string | null, holds_lock: boolean, };

/**
 * `GET /api/v1/campaigns`, newest first.
 */
export type CampaignList = { campaigns: Array<CampaignRow>, next_cursor: string | null, };

/**
 * `GET /api/v1/queue`: the headline, and where outcomes are kept.
 */
export type QueueSummary = {
/**
 * Server time at which it was read.
 */
at: number, queue: QueueCard, capacity: Capacity, outcomes: OutcomeStorage, alerts: Array<Alert>, };

/**
 * Outcomes are appended and never rewritten.
 */
export type OutcomeStorage = {
/**
 * ok, read_only
 */
status: string,
/**
 * Runs whose outcome is kept.
 */
outcomes: number,
/**
 * Entries of the journal.
 */
entries: number,
/**
 * Size of the journal on disk.
 */
bytes: number, };

/**
 * `GET /api/v1/sources/next`: the live question on the live state, asked without anything following from it.
 */
export type NextPick = {
/**
 * Server time at which it was asked.
 */
at: number,
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

export type NextCandidate = {
/**
 * Its number.
 */
source: number, title: string, host: string | null, lane: string, origin: string, campaign: string | null,
/**
 * Seconds since it was queued.
 */
age_s: number,
/**
 * Attempts made so far.
 */
attempts: number,
/**
 * Higher is earlier, if the policy heeds it.
 */
priority: number,
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

export type ScoreTerm = { name: string,
/**
 * What it adds to the score.
 */
value: number, };

export type Excluded = { code: string,
/**
 * Sources that it keeps out; none where it is all of them, for the time being.
 */
sources: number | null, text: string, fix: string | null, };

/**
 * Why one source is not picked.
 */
export type WhyNot = {
/**
 * The source that was asked about.
 */
source: number, picked: boolean,
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

export type ImportProgress = {
/**
 * Lines that were read.
 */
lines: number,
/**
 * Bytes of the file that were read.
 */
bytes: number,
/**
 * Sources that are new.
 */
queued: number,
/**
 * Lines that an earlier try of the same import took.
 */
known: number,
/**
 * Lines that were not taken.
 */
refused: number, };

export type RefusedLine = {
/**
 * From 1.
 */
line: number,
/**
 * Empty where the line as a whole is wrong.
 */
field: string, problem: string, fix: string, };

export type ImportReport = { nonce: string,
/**
 * Lines of the file.
 */
lines: number,
/**
 * Bytes of the file.
 */
bytes: number,
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

/**
 * `GET /api/v1/promotion`: whether successes reach live models, step by step, each claim with the entry that proves it.
 * When the proof was made, how old it is and how long it may be shown is its view stamp.
 */
export type Promotion = { view: ViewStamp,
/**
 * none, collecting, eval_due, evaluating, canary, applying, applied, rolled_back, blocked, held
 */
state: string, state_label: string,
/**
 * What the state means, in one sentence.
 */
phase: string,
/**
 * What happens next, or what somebody may do.
 */
next_action: string, worker: PromotionWorker, window: PromotionWindow,
/**
 * The latest attempt to evaluate a candidate: when, with what result, why, and when it is tried again.
 */
evaluation: EvaluationAttempt,
/**
 * The latest thing that went wrong, of whatever class.
 */
last_error: LastError | null,
/**
 * Whether accepted candidates wait for a person; the setting promotion_hold.
 */
hold: boolean,
/**
 * The named uses that route to a model.
 */
roles: Array<RoleCard>,
/**
 * Models that went live after they passed their evaluation and canary.
 */
live_applies: number,
/**
 * The latest of them.
 */
last_apply: LiveChange | null,
/**
 * The latest change of the live model, also by a rollback.
 */
last_switch: LiveChange | null,
/**
 * The candidate's stage, or none: none, evaluating, canary, watching, held
 */
candidate_state: string,
/**
 * The candidate under way.
 */
candidate: PromotionCandidate | null,
/**
 * The latest candidate of which the way is over.
 */
ended: PromotionCandidate | null,
/**
 * Models that something routes to or works with, use by use.
 */
routing: Array<RoutedModel>, unused: UnusedModels, retention: RetentionCard, outcomes: OutcomeCounters, };

/**
 * Whether promotion goes on.
 */
export type PromotionWorker = {
/**
 * idle, running, blocked, down
 */
status: string, status_label: string,
/**
 * What it does, or what it waits for.
 */
text: string,
/**
 * The cure.
 */
fix: string | null, };

/**
 * Successes toward the next evaluation.
 */
export type PromotionWindow = {
/**
 * Which window this is, from 1.
 */
ordinal: number,
/**
 * Successes that make an evaluation due; a live setting.
 */
size: number,
/**
 * Successes since the watermark, at most the size.
 */
done: number,
/**
 * Successes that are missing until the next evaluation is due.
 */
remaining: number,
/**
 * The done part of the window as a percentage.
 */
percent: number,
/**
 * All successful outcomes so far.
 */
successes: number,
/**
 * Successes that evaluations have used up already.
 */
watermark: number,
/**
 * Successes since the watermark; above the size where a candidate is under way while the window is full.
 */
delta: number,
/**
 * Successes in all at which the next evaluation is due: the watermark plus the size.
 */
next_target: number,
/**
 * When a window was full last; none before the first.
 */
reached_at: number | null,
/**
 * Mean time between the latest successes, stretched while the next is late; none before two of them.
 */
interval_ms: number | null,
/**
 * When the window will be full at that rate; none where nothing runs, too few successes tell a rate, or it is full.
 */
eta_at: number | null, recent: RecentOutcomes, };

/**
 * A named use of models.
 */
export type RoleCard = {
/**
 * controller, standard
 */
slug: string, label: string,
/**
 * What routes to it.
 */
text: string,
/**
 * The tag that is live in this role; none before the first model.
 */
tag: string | null,
/**
 * Since when.
 */
since: number | null,
/**
 * The tag that really answers now, where the role answers requests: another one while a model is being loaded.
 */
answering: string | null,
/**
 * The latest switch of this role.
 */
last_switch: LiveChange | null,
/**
 * Promotions that went live in this role.
 */
live_applies: number,
/**
 * When the latest of them did.
 */
last_apply_at: number | null, };

/**
 * A candidate with its proof.
 */
export type PromotionCandidate = { card: CandidateCard,
/**
 * Position in the journal of the entry that raised it.
 */
raised_seq: number | null, canary: CanaryProgress,
/**
 * None before its evaluation has compared anything.
 */
quality: Quality | null,
/**
 * Its latest decisions, newest first; at most 20.
 */
decisions: Array<DecisionRow>,
/**
 * How many decisions there were about it in all.
 */
decision_count: number,
/**
 * Where a person has to decide.
 */
held: HeldCard | null,
/**
 * Where its way is over.
 */
ended: CandidateEnding | null, };

/**
 * A share of the standard requests on trial.
 */
export type CanaryProgress = {
/**
 * none, running, passed, failed, inconclusive
 */
status: string, status_label: string,
/**
 * Pairs seen so far: requests that both models scored; none where no canary runs.
 */
have: number | null,
/**
 * Pairs at which the gate looks next; none where no canary runs.
 */
wanted: number | null,
/**
 * Most pairs of a canary; then it is over, proven or not.
 */
cap: number,
/**
 * Share of standard requests that the candidate answers while in canary.
 */
share: number,
/**
 * What the candidate served in its present stage.
 */
candidate: ServedCard,
/**
 * What the baseline served beside it.
 */
baseline: ServedCard, };

/**
 * Standard requests served on trial.
 */
export type ServedCard = {
/**
 * Requests served.
 */
requests: number,
/**
 * Those among them that failed.
 */
failed: number,
/**
 * Their mean latency; none without requests.
 */
latency_ms: number | null, };

/**
 * What the evaluation measured: held-out loss in bits per byte, lower is better.
 */
export type Quality = {
/**
 * The candidate's mean over hosts.
 */
candidate: number,
/**
 * The baseline's mean over hosts, on the same texts.
 */
baseline: number,
/**
 * Candidate less baseline: below zero the candidate is better.
 */
delta: number,
/**
 * Lower end of the 95 % interval of the delta for the pairs as they are; none where a host has fewer than two. The gate
 * decides by its own test, which also holds for repeated looks.
 */
low: number | null,
/**
 * Upper end of that interval.
 */
high: number | null,
/**
 * Held-out texts that both models were scored on.
 */
pairs: number,
/**
 * What the interval shows: better, worse, no_difference_shown, unknown
 */
reading: string,
/**
 * The gate's latest verdict: advance, need_more, reject, hold, roll_back, none
 */
verdict: string, };

/**
 * A candidate waits for a person.
 */
export type HeldCard = {
/**
 * The stage that it leaves when it is approved: evaluate, canary, watch
 */
from: string,
/**
 * gate: the gate would not decide; setting: the gate accepts it, and promotion_hold is on
 */
cause: string, cause_label: string, reason: string,
/**
 * Since when it waits.
 */
since: number,
/**
 * The decision that it is held with. Sent back with approve or reject, it makes a late click do nothing.
 */
decision: number,
/**
 * What a guard forbids as the settings are now; then an approval has to say that it is despite the guard.
 */
forbidden: string | null,
/**
 * What approving does.
 */
approving: string,
/**
 * What rejecting does.
 */
rejecting: string, };

/**
 * How a candidate's way ended.
 */
export type CandidateEnding = {
/**
 * kept, rejected, rolled_back
 */
end: string, end_label: string,
/**
 * When it ended.
 */
at: number, reason: string,
/**
 * Number of the gate's decision, where one ended it.
 */
decision: number | null,
/**
 * The person, where one ended it.
 */
actor: string | null, };

/**
 * A model that something routes to or works with.
 */
export type RoutedModel = { tag: string,
/**
 * live, candidate, baseline, rollback_target, line, run
 */
slug: string, label: string,
/**
 * Share of the standard requests that it answers, where it answers any.
 */
share: number | null, };

/**
 * Installed models that nothing uses.
 */
export type UnusedModels = {
/**
 * How many there are, exactly.
 */
count: number,
/**
 * What they take on disk.
 */
bytes: number,
/**
 * The newest of them; at most 20.
 */
sample: Array<RetainedModel>, };

/**
 * How models are kept.
 */
export type RetentionCard = {
/**
 * Newest models kept besides those in use; the setting keep_models.
 */
keep: number,
/**
 * Installed models.
 */
installed: number,
/**
 * What they take on disk.
 */
installed_bytes: number,
/**
 * Pinned models: never pruned.
 */
pinned: number,
/**
 * Models that a prune would retire now.
 */
prunable: number,
/**
 * What that would free.
 */
prunable_bytes: number,
/**
 * The rule in words.
 */
text: string, };

/**
 * The outcome log, counted.
 */
export type OutcomeCounters = {
/**
 * Training runs that have succeeded or failed.
 */
outcomes: number,
/**
 * Those that have succeeded.
 */
successes: number,
/**
 * Those that have failed, each attempt by itself.
 */
failures: number,
/**
 * Training runs that were cancelled; no outcome.
 */
cancelled: number,
/**
 * Candidates raised so far.
 */
candidates: number,
/**
 * Candidates that were turned down.
 */
rejected: number,
/**
 * Candidates that were live and were taken back.
 */
rolled_back: number, };

/**
 * A model with what keeps it.
 */
export type RetainedModel = { tag: string,
/**
 * Size of its file.
 */
bytes: number,
/**
 * When it was made.
 */
made_at: number,
/**
 * Host that it was trained on last.
 */
host: string | null,
/**
 * All that keeps it; empty where it goes.
 */
kept_for: Array<KeptForRow>,
/**
 * By whom and why it is pinned.
 */
pinned: string | null, };

/**
 * A reason to keep a model.
 */
export type KeptForRow = {
/**
 * live, candidate, baseline, rollback_target, line, run, pinned, newest
 */
slug: string, label: string, };

/**
 * `GET /api/v1/models/prune`: what a prune would do now. Nothing is changed.
 */
export type PrunePlan = { view: ViewStamp,
/**
 * Newest models kept besides those in use.
 */
keep: number,
/**
 * Names what would go: sent with the prune, it is refused where something else would go by then.
 */
plan: string,
/**
 * What would go, oldest first; at most 500 are listed.
 */
go: Array<RetainedModel>,
/**
 * How many would go, exactly.
 */
go_count: number,
/**
 * What that would free.
 */
go_bytes: number,
/**
 * What would stay and why, newest first; at most 500 are listed.
 */
stay: Array<RetainedModel>,
/**
 * How many would stay, exactly.
 */
stay_count: number,
/**
 * What they take.
 */
stay_bytes: number, };

/**
 * What a prune did.
 */
export type Pruned = {
/**
 * Tags that went, oldest first; empty where nothing had to.
 */
models: Array<string>,
/**
 * What that frees.
 */
bytes: number, };

/**
 * `GET /api/v1/models/live-at?at=TIME`: which model was live in each role then, and why.
 */
export type LiveAt = {
/**
 * The time that was asked about.
 */
at: number,
/**
 * One for each role.
 */
roles: Array<LiveRole>, };

/**
 * What was live in a role at a time.
 */
export type LiveRole = {
/**
 * controller, standard
 */
role: string, role_label: string,
/**
 * The entry that made it live: model, time, cause, decision or person, reason; none before the first model.
 */
change: LiveChange | null,
/**
 * When the next model went live in this role; none while it is still live.
 */
until: number | null,
/**
 * Why it was live, in one sentence.
 */
why: string, };

/**
 * `GET /api/v1/relay`: the four steps, and whether each keeps up.
 */
export type Relay = { view: ViewStamp,
/**
 * healthy; degraded where a step is over its limit
 */
status: string, status_label: string,
/**
 * Which step is over its limit, and by how much; empty where none is.
 */
reason: string,
/**
 * Queue Intake, Training Execution, Learning Ingest, Standard Task Reuse.
 */
steps: Array<RelayStep>, pulse: RelayPulse,
/**
 * Sources of both lanes that were done or given up within 30 minutes.
 */
sources_consumed_30m: number,
/**
 * Outcomes that got into the learning memory within 30 minutes.
 */
records_ingested_30m: number,
/**
 * Outcomes that are committed and not in the learning memory yet.
 */
ingest_backlog: number,
/**
 * Beyond it evaluations wait: the setting ingest_lag_max.
 */
ingest_lag_max: number,
/**
 * The gate waits for the learning memory; none where it does not.
 */
gate_blocked: GateWait | null, latest_success: LatestSuccess | null, trace_coverage: Coverage, recent: RecentOutcomes,
/**
 * False where so much happened that only the newest million entries were counted: then the 30-minute figures are the least it can be.
 */
counted_whole: boolean, };

/**
 * One step of the relay.
 */
export type RelayStep = {
/**
 * intake, execution, ingest, reuse
 */
slug: string, label: string,
/**
 * idle, active, waiting, stopped, degraded
 */
state: string, state_label: string,
/**
 * What it did within 30 minutes.
 */
count_30m: number,
/**
 * What is counted.
 */
counted: string,
/**
 * What waits for it.
 */
backlog: number,
/**
 * How far it is behind, in `lag_unit`.
 */
lag: number,
/**
 * Above it the step is degraded; none where it has no limit of its own.
 */
lag_max: number | null,
/**
 * ms, outcomes, successes
 */
lag_unit: string,
/**
 * Number of the newest that it dealt with: a source, a run; the model's tag at the last step.
 */
latest_id: string | null,
/**
 * When it did.
 */
latest_at: number | null, detail: string, };

/**
 * Queue pressure, use of capacity and the model's momentum at a glance.
 */
export type RelayPulse = {
/**
 * Sources of both lanes that wait to be run.
 */
queue_pending: number,
/**
 * Training runs under way.
 */
training_running: number,
/**
 * Most training runs at a time, as the slots allow.
 */
training_cap: number,
/**
 * The first of the second in percent; none without a cap.
 */
utilisation_percent: number | null,
/**
 * Runs under way that are not training: evaluations, canaries, manual runs.
 */
other_running: number,
/**
 * Successes since the last evaluation.
 */
window_done: number,
/**
 * Successes that make the next one due: the setting promotion_window.
 */
window_size: number,
/**
 * Times that a model went live in place of another.
 */
live_applies: number,
/**
 * Tag of the model that answers standard requests.
 */
standard_model: string | null,
/**
 * When another model went live last.
 */
last_model_switch: number | null, };

/**
 * A gate that is not asked, since the learning memory is too far behind.
 */
export type GateWait = { candidate: string,
/**
 * evaluate, canary
 */
stage: string, reason: string,
/**
 * Since when it waits.
 */
since: number,
/**
 * It is looked at again then, or as soon as the memory has caught up.
 */
retry_at: number, };

/**
 * The newest training run that ended well.
 */
export type LatestSuccess = {
/**
 * Number of the run.
 */
run: number,
/**
 * Number of its source.
 */
source: number, title: string, host: string | null,
/**
 * When it ended.
 */
at: number, };

/**
 * `GET /api/v1/memory`: how far the learning memory is, and records of it.
 */
export type MemoryAnswer = { view: ViewStamp, status: MemoryStatus,
/**
 * Records with all of the words, best first; the newest where none were asked for.
 */
records: Array<MemoryRecord>, };

/**
 * How far the learning memory is.
 */
export type MemoryStatus = {
/**
 * starting, ready, catching_up, rebuilding, failing
 */
state: string, state_label: string,
/**
 * Why outcomes do not get into it; none where they do.
 */
problem: string | null,
/**
 * Why this host process built it anew; none where it did not.
 */
rebuilt_because: string | null,
/**
 * How far the journal has been read; entries without an outcome move it now and then only.
 */
cursor: number,
/**
 * Outcomes ingested so far, also those of which the record is not kept any more.
 */
outcomes: number,
/**
 * Records of runs that ended well.
 */
successes: number,
/**
 * Records of runs that failed.
 */
failures: number,
/**
 * Outcomes that are committed and not ingested.
 */
backlog: number,
/**
 * Outcomes that got in within 30 minutes.
 */
ingested_30m: number,
/**
 * Number of the newest outcome's run.
 */
latest_run: number | null,
/**
 * When that run ended.
 */
latest_at: number | null,
/**
 * Size of its file.
 */
bytes: number, };

/**
 * What is remembered of one outcome.
 */
export type MemoryRecord = {
/**
 * Number of the run; each has one outcome.
 */
run: number,
/**
 * Number of its source.
 */
source: number, title: string, host: string | null, success: boolean,
/**
 * What came of it, in a sentence.
 */
summary: string,
/**
 * The beginning of the source's text.
 */
text: string,
/**
 * When the run ended.
 */
at: number, };

/**
 * What a run was given of the learning memory.
 */
export type JobMemory = {
/**
 * Records in all slots.
 */
items: number,
/**
 * Slots that hold something, in percent of those that might; none without any slot.
 */
coverage_percent: number | null, slots: Array<JobMemorySlot>,
/**
 * slot_underfilled:SLOT where less was found than half of what there was room for; memory_unavailable where nothing could be asked
 */
gaps: Array<string>, };

/**
 * One slot of what a run was given.
 */
export type JobMemorySlot = {
/**
 * same_host, similar, failures
 */
slot: string, label: string,
/**
 * Characters that it might hold: a setting.
 */
budget_chars: number,
/**
 * Characters that it holds.
 */
used_chars: number, items: Array<JobMemoryItem>, };

/**
 * One record as a run was given it.
 */
export type JobMemoryItem = {
/**
 * Number of the run that it is the outcome of.
 */
run: number,
/**
 * Number of that run's source.
 */
source: number, title: string, host: string | null, success: boolean, summary: string,
/**
 * Characters of text that were given.
 */
text_chars: number,
/**
 * Whether the text was cut to the room there was.
 */
cut: boolean, };

/**
 * `GET /api/v1/sinks`
 */
export type SinkList = { view: ViewStamp, sinks: Array<SinkCard>, };

/**
 * A webhook or a file that entries of the journal are sent to.
 */
export type SinkCard = { name: string,
/**
 * webhook, jsonl
 */
kind: string,
/**
 * Its address without the query, or its file.
 */
target: string,
/**
 * Kinds of entries that it is sent; empty for all.
 */
events: Array<string>,
/**
 * starting, idle, delivering, retrying
 */
state: string, state_label: string,
/**
 * All entries up to here have been delivered or are of no interest.
 */
cursor: number,
/**
 * Entries that are not delivered yet.
 */
lag: number,
/**
 * There may be more than that: only so many were counted.
 */
lag_is_more: boolean,
/**
 * Entries delivered by this host process.
 */
delivered: number,
/**
 * When something was delivered last.
 */
last_at: number | null,
/**
 * Failed deliveries in a row.
 */
failures: number,
/**
 * Why the last one failed.
 */
problem: string | null,
/**
 * When it is tried again.
 */
next_try_at: number | null, };

/** A point of a loss curve: step, training loss, held-out loss. */
export type Point = [number, number | null, number | null];
