/** What the overview shows, worked out from the read model; the views only draw it. */

import { bits } from '../format';
import type { Status } from '../feed/stream';
import type { Apply, CandidateCard, Dashboard, DecisionRow, JobRow, ModelCard, PolicyCard, PolicyProblem, TrainingState } from '../wire';

/** The run whose curve is shown: the newest one that trains, else the newest one that has. */
export function curveJob(jobs: readonly JobRow[]): { job: JobRow; live: boolean } | null {
  const trains = jobs.filter((job) => job.class !== 'eval' && job.class !== 'canary');
  const live = trains.find((job) => job.status_slug === 'running' || job.status_slug === 'warming');
  if (live !== undefined) return { job: live, live: true };
  const last = trains.find((job) => job.started_at !== null);
  return last === undefined ? null : { job: last, live: false };
}

export type Verdict = 'better' | 'worse' | 'same';

export function compare(before: number, after: number): Verdict {
  const difference = after - before;
  if (Math.abs(difference) < 0.0005) return 'same';
  return difference < 0 ? 'better' : 'worse';
}

export type BitsRow = {
  host: string;
  baseline: number;
  candidate: number | null;
  difference: number | null;
  verdict: Verdict | null;
  /** Places on the axis in percent. */
  baselineAt: number;
  candidateAt: number | null;
};

export type BitsTable = { rows: BitsRow[]; low: number; high: number };

/** One row per host; with a candidate that has been measured, both ends of the dumbbell. */
export function bitsTable(active: ModelCard | null, candidate: CandidateCard | null): BitsTable | null {
  const measured = candidate !== null && candidate.hosts.length > 0;
  const pairs = measured
    ? candidate.hosts.map(({ host, baseline, candidate }) => ({ host, baseline, candidate }))
    : (active?.hosts ?? []).map(({ host, bits }) => ({ host, baseline: bits, candidate: null }));
  if (pairs.length === 0) return null;
  const all = pairs.flatMap(({ baseline, candidate }) => (candidate === null ? [baseline] : [baseline, candidate]));
  const least = Math.min(...all);
  const greatest = Math.max(...all);
  const air = Math.max(0.04, (greatest - least) * 0.06);
  const low = Math.floor((least - air) * 10) / 10;
  const high = Math.ceil((greatest + air) * 10) / 10;
  const at = (value: number) => ((value - low) / (high - low)) * 100;
  const rows = pairs.map(({ host, baseline, candidate }) => ({
    host,
    baseline,
    candidate,
    difference: candidate === null ? null : candidate - baseline,
    verdict: candidate === null ? null : compare(baseline, candidate),
    baselineAt: at(baseline),
    candidateAt: candidate === null ? null : at(candidate),
  }));
  return { rows, low, high };
}

export function applyWords(apply: Apply): { verdict: Verdict | null; text: string } {
  const { bits_before, bits_after } = apply;
  if (bits_before === null || bits_after === null) return { verdict: null, text: `${apply.before} → ${apply.model}` };
  return { verdict: compare(bits_before, bits_after), text: `${bits(bits_before)} → ${bits(bits_after)}` };
}

export type TrainingButton = { action: 'start' | 'stop'; text: string; note: string };

/** The button asks for what is not wanted yet; the note says how far what is wanted has come true. */
export function trainingButton(training: TrainingState): TrainingButton {
  if (training.enabled) return { action: 'stop', text: 'Stop training', note: '' };
  const note =
    training.running === 0 ? '' : training.running === 1 ? 'The run under way will end by itself' : `The ${training.running} runs under way will end by themselves`;
  return { action: 'start', text: 'Start training', note };
}

/** `retry.rhai:12:9` */
export function problemPlace(problem: PolicyProblem): string {
  return [problem.file, problem.line, problem.column].filter((part) => part !== null).join(':');
}

/** Hosts to suggest: those that the model is measured on and those of recent runs. */
export function knownHosts(state: Dashboard): string[] {
  const names = new Set<string>();
  for (const { host } of state.active?.hosts ?? []) names.add(host);
  for (const { host } of state.candidate?.hosts ?? []) names.add(host);
  for (const { host } of state.jobs) if (host !== null) names.add(host);
  return [...names].sort();
}

export function ofKind(decisions: readonly DecisionRow[], kind: string): DecisionRow[] {
  return kind === '' ? [...decisions] : decisions.filter((decision) => decision.kind === kind);
}

/** A policy's faults in words; none is good news and said so. */
export function faultWords(policy: PolicyCard): string {
  return policy.faults === 0 ? 'no faults' : policy.faults === 1 ? '1 fault' : `${policy.faults} faults`;
}

/** For screen readers: changes only when something an operator would look up for has changed. */
export function announcement(state: Dashboard | null, connection: Status['kind']): string {
  if (connection === 'waiting' || connection === 'polling') return 'Connection to the host lost, reconnecting';
  if (state === null) return '';
  const parts = [state.training.label];
  if (state.last_apply !== null) parts.push(`${state.last_apply.model} is live`);
  if (state.alerts.length > 0) parts.push(`${state.alerts.length} problems: ${state.alerts[0]!.text}`);
  return parts.join('. ');
}
