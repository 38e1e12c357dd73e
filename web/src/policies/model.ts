/** What the policies page shows, worked out from the read model; the views only draw it. */

import { count, durationLong, number, plural, short } from '../format';
import type { Glyph, Mark, Tone } from '../words';
import type { Activation, BreakerCard, PolicyCard, ShadowCard, Swap, SwapPart, SwapStage, VersionRow } from '../wire';

export type BadgeView = { tone: Tone; glyph: Glyph; text: string; title: string };

/** What an operator should know of a kind before all else, most urgent first. */
export function badges(card: PolicyCard): BadgeView[] {
  const found: BadgeView[] = [];
  const add = (tone: Tone, glyph: Glyph, text: string, title: string) => found.push({ tone, glyph, text, title });
  const breaker = breakerView(card.breaker);
  if (card.problem) add('bad', 'cross', 'file refused', card.problem.message);
  if (card.confirm_by) add('warn', 'wait', 'to be confirmed', 'It is taken back unless somebody confirms it in time');
  if (breaker.tripped > 0) add('warn', 'warn', 'breaker tripped', 'A version was taken out of service for its faults');
  if (breaker.warn) add('warn', 'warn', breaker.short, 'Faults of the active version');
  const aside = card.quarantine?.length ?? 0;
  if (aside > 0) add('warn', 'pause', `${plural(aside, 'input')} set aside`, 'The built-in answers these inputs');
  if (card.canary) add('info', 'play', `canary ${percent(card.canary.share)}`, `${named(card.canary)} decides a share of the questions`);
  const shadows = card.shadows ?? [];
  if (shadows.length > 0) add('info', 'ring', shadows.length > 1 ? plural(shadows.length, 'shadow') : 'shadow', `${shadows.map(named).join(', ')}: sees what is decided and decides nothing`);
  if (card.pinned) add('info', 'stop', 'pinned', `Pinned ${card.pinned}`);
  return found;
}

export function named(policy: { name: string; version: string }): string {
  return `${policy.name}@${policy.version}`;
}

/** `20 %`, `2.5 %`. */
export function percent(share: number): string {
  return `${number(Math.round(share * 1_000) / 10)} %`;
}

/** `4:07`, `1:02:07`: what is left; nothing is less than nothing. Its width changes with the hour only. */
export function countdown(until: number, now: number): string {
  const s = Math.max(0, Math.ceil((until - now) / 1000));
  const two = (n: number) => String(n).padStart(2, '0');
  const [hours, minutes, seconds] = [Math.floor(s / 3600), Math.floor(s / 60) % 60, s % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds)}` : `${two(minutes)}:${two(seconds)}`;
}

export type BreakerView = { warn: boolean; short: string; row: string; window: string; tripped: number };

export function breakerView(breaker: BreakerCard | undefined): BreakerView {
  if (breaker === undefined) return { warn: false, short: '', row: '', window: '', tripped: 0 };
  const { faults_in_a_row: row, faults_in_window: inWindow } = breaker;
  return {
    warn: row > 0 || inWindow > 0,
    short: row > 0 ? `${plural(row, 'fault')} in a row` : `${plural(inWindow, 'fault')} of late`,
    row: `${row} of ${breaker.faults_in_a_row_max}`,
    window: `${inWindow} of ${breaker.faults_in_window_max} in ${Math.round(breaker.window_ms / 60_000)} min`,
    tripped: breaker.tripped.length,
  };
}

/** `188 of 200, 94 %`; none before it was asked. */
export function agreement(shadow: ShadowCard): { text: string; share: number | null } {
  const judged = shadow.agreed + shadow.disagreed;
  if (judged === 0) return { text: 'not asked yet', share: null };
  const share = shadow.agreed / judged;
  return { text: `${count(shadow.agreed)} of ${count(judged)}, ${percent(share)}`, share };
}

const STAGES: Record<string, Mark> = {
  waiting: { tone: 'quiet', glyph: 'wait' },
  running: { tone: 'info', glyph: 'ring' },
  passed: { tone: 'good', glyph: 'check' },
  failed: { tone: 'bad', glyph: 'cross' },
  skipped: { tone: 'quiet', glyph: 'dot' },
};

export function stageMark(status: string): Mark {
  return STAGES[status] ?? { tone: 'quiet', glyph: 'dot' };
}

const SWAPS: Record<string, Mark> = {
  running: { tone: 'info', glyph: 'ring' },
  active: { tone: 'good', glyph: 'check' },
  failed: { tone: 'bad', glyph: 'cross' },
};

export function swapMark(status: string): Mark {
  return SWAPS[status] ?? { tone: 'quiet', glyph: 'dot' };
}

export function swapWord(swap: Swap): string {
  if (swap.status === 'running') return 'under way';
  if (swap.status === 'active') return swap.parts.every((part) => part.generation === null) ? 'done' : 'active';
  return swap.status;
}

/** By policy where it has described itself, by file before. */
export function swapName(swap: Swap): string {
  return swap.parts.map((part) => part.policy ?? part.file).join(' + ');
}

/** `gen 4`, `gens 4, 2` for a set. */
export function swapGenerations(swap: Swap): string {
  const became = swap.parts.map((part) => part.generation).filter((generation) => generation !== null);
  return became.length === 0 ? '' : `${became.length === 1 ? 'gen' : 'gens'} ${became.join(', ')}`;
}

export function stageTime(stage: SwapStage): string {
  if (stage.ms === null || stage.status === 'skipped') return '';
  if (stage.ms < 1) return '< 1 ms';
  return stage.ms < 10_000 ? `${count(Math.round(stage.ms))} ms` : `${(stage.ms / 1000).toFixed(1)} s`;
}

/** `31 ms`, `1.3 s`, `1 min 12 s`. */
export function took(ms: number): string {
  return ms < 1_000 ? `${Math.max(0, Math.round(ms))} ms` : durationLong(ms);
}

/** Until when what a swap brought in is to be confirmed; none once it is, or something else serves. The swap itself is not told. */
export function toConfirm(swap: Swap, policies: readonly PolicyCard[]): number | null {
  if (swap.status !== 'active' || swap.confirm_by === null) return null;
  const waits = swap.parts.some((part) => policies.some((card) => card.kind === part.kind && card.generation === part.generation && card.confirm_by !== null));
  return waits ? swap.confirm_by : null;
}

/** What is done of what there is to do, for a stage that counts and still runs. */
export function stageProgress(stage: SwapStage): { done: number; total: number } | null {
  if (stage.status !== 'running' || stage.done === null || !stage.total) return null;
  return { done: stage.done, total: stage.total };
}

/** `Replay of recorded decisions, 11 of 15`: where a swap is, in one line. */
export function swapPlace(part: SwapPart): string {
  const at = part.stages.findIndex((stage) => stage.status === 'running' || stage.status === 'failed');
  const stage = part.stages[at];
  return stage === undefined ? '' : `${stage.label}, ${at + 1} of ${part.stages.length}`;
}

const OVER_SHOWN = 6;

/** Swaps of a kind, or all of them: those under way, and the latest that are over. What has not said its kind yet may be of any. */
export function swapsOf(swaps: readonly Swap[] | undefined, kind: string): { running: Swap[]; over: Swap[] } {
  const wanted = (swaps ?? []).filter((swap) => kind === '' || swap.parts.some((part) => part.kind === kind || (part.kind === null && swap.status === 'running')));
  return {
    running: wanted.filter((swap) => swap.status === 'running'),
    over: wanted.filter((swap) => swap.status !== 'running').slice(0, OVER_SHOWN),
  };
}

export type Step = { activation: Activation; back: 'serves' | 'previous' | 'again' | 'none' };

/**
 * The history of a kind with the way back to each version: the one before by a rollback, which brings its state back, older
 * ones by activating what the journal keeps. A version is offered once, at its latest time.
 */
export function history(activations: readonly Activation[], card: PolicyCard): Step[] {
  const offered = new Set<string>([card.digest]);
  let previousLeft = card.previous !== null;
  return activations.map((activation, at) => {
    if (at === 0 && activation.digest === card.digest) return { activation, back: 'serves' };
    if (offered.has(activation.digest)) return { activation, back: 'none' };
    offered.add(activation.digest);
    if (previousLeft && activation.policy === card.previous) {
      previousLeft = false;
      return { activation, back: 'previous' };
    }
    return { activation, back: activation.engine === 'built-in' ? 'none' : 'again' };
  });
}

const ENDS: Record<string, BadgeView> = {
  rolled_back: { tone: 'warn', glyph: 'back', text: 'rolled back', title: 'Somebody brought the version before back' },
  timed_out: { tone: 'warn', glyph: 'wait', text: 'taken back', title: 'Nobody confirmed it in time' },
  tripped: { tone: 'bad', glyph: 'warn', text: 'tripped', title: 'The breaker took it out of service for its faults' },
};

/** How a time in service ended, where that is news: to be replaced by a newer version is not. */
export function endOf(activation: Activation): BadgeView | null {
  return ENDS[activation.outcome ?? ''] ?? null;
}

const BEGINNINGS: Record<string, string> = {
  carried: 'took over the state',
  migrated: 'took over the state, migrated',
  from_canary: 'with the state of its canary',
  restored: 'with the state it had',
};

/** What it began with; to begin with nothing goes without saying. */
export function beganWith(activation: Activation): string {
  return BEGINNINGS[activation.state] ?? '';
}

/** Changes whenever what the host keeps on record of policies may have changed, so that it is asked for again. */
export function recordKey(policies: readonly PolicyCard[] | undefined): string {
  return (policies ?? []).map((card) => `${card.kind} ${card.generation} ${card.digest} ${card.confirm_by ?? ''} ${card.canary?.digest ?? ''}`).join(';');
}

/** The newest pick takes the place of the older of two. */
export function picked(picks: readonly string[], digest: string): string[] {
  return picks.includes(digest) ? picks.filter((pick) => pick !== digest) : [...picks, digest].slice(-2);
}

/** Older first, so that a comparison reads from what was to what came. */
export function olderFirst(a: string, b: string, versions: readonly VersionRow[]): [string, string] {
  const seen = (digest: string) => versions.find((row) => row.digest === digest)?.first_seen ?? 0;
  return seen(a) <= seen(b) ? [a, b] : [b, a];
}

/** A version in words where the list knows it, else the beginning of its digest. */
export function versionName(digest: string, versions: readonly VersionRow[]): string {
  const row = versions.find((version) => version.digest === digest);
  return row === undefined ? short(digest) : named(row);
}

export type GuardRow = { name: string; what: string; value: string; on: boolean };

/** The operator's invariants as they stand in the settings. What an older host does not have is left out. */
export function guards(settings: Record<string, unknown>): GuardRow[] {
  const rows: GuardRow[] = [];
  const add = (name: string, what: string, word: (value: number) => string, off: (value: unknown) => boolean) => {
    if (!(name in settings)) return;
    const value = settings[name];
    const on = !off(value) && typeof value === 'number';
    rows.push({ name, what, value: on ? word(value) : 'no guard', on });
  };
  const none = (value: unknown) => value === null;
  add('guard_host_loss_max', 'Most by which a candidate’s loss on any host may be above the baseline’s', (most) => `${number(most)} bits`, none);
  add('guard_runs_per_host_max', 'Most runs of one host under way', (most) => plural(most, 'run'), (value) => value === null || value === 0);
  add('guard_error_rise', 'Largest rise of failed requests while a candidate serves', percent, none);
  add('guard_latency_rise_ms', 'Largest rise of mean latency while a candidate serves', (most) => `${number(most)} ms`, none);
  return rows;
}

/** Times within which an activation is to be confirmed. */
export const CONFIRM_WITHIN = [
  { value: '', label: 'No confirmation needed' },
  { value: '60000', label: 'Confirm within 1 minute, or it is taken back' },
  { value: '600000', label: 'Confirm within 10 minutes, or it is taken back' },
  { value: '3600000', label: 'Confirm within 1 hour, or it is taken back' },
];
