/** The proof in words and places on an axis; every figure and verdict is the host's. */

import { NONE, signed } from '../format';
import type { LiveChange, PromotionCandidate, Quality } from '../wire';
import type { Mark, Tone } from '../words';

const STATES: Record<string, Mark> = {
  none: { tone: 'quiet', glyph: 'dot' },
  collecting: { tone: 'info', glyph: 'plus' },
  eval_due: { tone: 'info', glyph: 'wait' },
  evaluating: { tone: 'info', glyph: 'ring' },
  canary: { tone: 'info', glyph: 'play' },
  applying: { tone: 'info', glyph: 'ring' },
  applied: { tone: 'good', glyph: 'check' },
  rolled_back: { tone: 'warn', glyph: 'back' },
  blocked: { tone: 'warn', glyph: 'pause' },
  held: { tone: 'warn', glyph: 'pause' },
};

export function stateMark(state: string): Mark {
  return STATES[state] ?? { tone: 'quiet', glyph: 'dot' };
}

const WORKERS: Record<string, Mark> = {
  idle: { tone: 'quiet', glyph: 'pause' },
  running: { tone: 'good', glyph: 'play' },
  blocked: { tone: 'warn', glyph: 'pause' },
  down: { tone: 'bad', glyph: 'cross' },
};

export function workerMark(status: string): Mark {
  return WORKERS[status] ?? { tone: 'quiet', glyph: 'dot' };
}

const CANARIES: Record<string, Mark> = {
  none: { tone: 'quiet', glyph: 'dot' },
  running: { tone: 'info', glyph: 'play' },
  passed: { tone: 'good', glyph: 'check' },
  failed: { tone: 'bad', glyph: 'cross' },
  inconclusive: { tone: 'warn', glyph: 'pause' },
};

export function canaryMark(status: string): Mark {
  return CANARIES[status] ?? { tone: 'quiet', glyph: 'dot' };
}

const READINGS: Record<string, { tone: Tone; text: string }> = {
  better: { tone: 'good', text: 'better' },
  worse: { tone: 'bad', text: 'worse' },
  no_difference_shown: { tone: 'quiet', text: 'no difference shown' },
  unknown: { tone: 'quiet', text: 'too little to tell' },
};

export function reading(quality: Quality): { tone: Tone; text: string } {
  return READINGS[quality.reading] ?? { tone: 'quiet', text: quality.reading };
}

const CAUSES: Record<string, string> = { bootstrapped: 'first model', applied: 'promoted', rolled_back: 'rolled back' };

/** `m-1 → m-4`; the first one came from nothing. */
export function switchWords(change: LiveChange): string {
  return `${change.before ?? 'none'} → ${change.model}`;
}

export function causeWords(change: LiveChange): string {
  return CAUSES[change.cause] ?? change.cause;
}

export type Axis = { ticks: { at: number; text: string }[]; zero: number; delta: number; low: number | null; high: number | null; words: string };

/** Places in percent of an axis that has zero and the whole interval on it, with round figures at its ends. */
export function intervalAxis(quality: Quality): Axis {
  const { delta, low, high } = quality;
  const reach = Math.max(...[delta, low ?? 0, high ?? 0].map(Math.abs), 0.001) * 1.15;
  const end = roundUp(reach);
  const at = (value: number) => ((value + end) / (2 * end)) * 100;
  const interval = low === null || high === null ? 'no interval: a host has fewer than two pairs' : `95 % interval ${signed(low)} to ${signed(high)}`;
  return {
    ticks: [-end, -end / 2, 0, end / 2, end].map((value) => ({ at: at(value), text: value === 0 ? '0' : signed(value, digits(end / 2)) })),
    zero: at(0),
    delta: at(delta),
    low: low === null ? null : at(low),
    high: high === null ? null : at(high),
    words: `Candidate less baseline: ${signed(delta)} bits per byte, ${interval}. Below zero is better.`,
  };
}

/** The next of 1, 2, 4 or 10 times a power of ten: its half is a short figure, too. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 4, 10].find((one) => one * power >= value - 1e-12) ?? 10;
  return factor * power;
}

function digits(value: number): number {
  return Math.min(4, Math.max(1, -Math.floor(Math.log10(value) + 1e-9)));
}

/** What is to be told of a canary beside its badge. */
export function canaryWords({ canary }: PromotionCandidate): string {
  const share = `${Math.round(canary.share * 100)} % of requests`;
  return canary.have === null || canary.wanted === null ? share : `${canary.have} of ${canary.wanted} pairs, at most ${canary.cap}; ${share}`;
}

export function latency(ms: number | null): string {
  return ms === null ? NONE : `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
}

/** What a field for local time holds, as the time that the host is asked about; none where it is none. */
export function askedAt(field: string): number | null {
  if (field === '') return null;
  const at = new Date(field).getTime();
  return Number.isFinite(at) ? at : null;
}

/** A time as a field for local time wants it: `2026-01-02T03:04`. */
export function localField(at: number): string {
  const date = new Date(at);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
