/** What the diagnostics show, put into words; every figure is the host's. */

import { count, NONE } from '../format';
import type { Evidence, LiveSnapshot } from '../wire';
import type { Mark } from '../words';

const HEALTH: Record<string, Mark> = {
  ok: { tone: 'good', glyph: 'check' },
  idle: { tone: 'quiet', glyph: 'pause' },
  degraded: { tone: 'warn', glyph: 'warn' },
  down: { tone: 'bad', glyph: 'cross' },
};

export function healthMark(status: string): Mark {
  return HEALTH[status] ?? { tone: 'quiet', glyph: 'dot' };
}

const ATTEMPTS: Record<string, { mark: Mark; text: string }> = {
  none: { mark: { tone: 'quiet', glyph: 'dot' }, text: 'none yet' },
  triggered: { mark: { tone: 'info', glyph: 'ring' }, text: 'triggered' },
  blocked: { mark: { tone: 'warn', glyph: 'pause' }, text: 'blocked' },
  completed: { mark: { tone: 'good', glyph: 'check' }, text: 'completed' },
  failed: { mark: { tone: 'bad', glyph: 'cross' }, text: 'failed' },
};

export function attempt(result: string): { mark: Mark; text: string } {
  return ATTEMPTS[result] ?? { mark: { tone: 'quiet', glyph: 'dot' }, text: result };
}

/** `n/m (last k)`; nothing yet is not zero. */
export function recentWords({ successes, outcomes, window, percent }: LiveSnapshot['recent']): string {
  return outcomes === 0 || percent === null ? 'no outcome yet' : `${count(successes)}/${count(outcomes)} (${Math.round(percent)} %), last ${count(window)}`;
}

export function coverageWords({ with_trace, outcomes, percent }: LiveSnapshot['trace_coverage']): string {
  return percent === null ? 'no outcome yet' : `${Math.round(percent)} %, ${count(with_trace)} of ${count(outcomes)}`;
}

export type Gain = { field: keyof Evidence & string; label: string; value: string; good: boolean };

/** What was gained, in the order of what is asked first. `+0` is a figure, no evidence is none. */
export function gains(evidence: Evidence | null): Gain[] {
  const rows: [Gain['field'], string, (evidence: Evidence) => number][] = [
    ['successes_gained', 'Successful outcomes gained', (one) => one.successes_gained],
    ['live_applies_gained', 'Live applies gained', (one) => one.live_applies_gained],
    ['queue_consumed', 'Queue consumed', (one) => one.queue_consumed],
    ['outcomes_gained', 'Outcomes gained', (one) => one.outcomes_gained],
    ['decisions_gained', 'Decisions gained', (one) => one.decisions_gained],
    ['rolled_back_gained', 'Rolled back', (one) => one.rolled_back_gained],
  ];
  return rows.map(([field, label, of]) => {
    const value = evidence === null ? null : of(evidence);
    return { field, label, value: value === null ? NONE : `+${count(value)}`, good: value !== null && value > 0 && field !== 'rolled_back_gained' };
  });
}

export function provenance(evidence: Evidence | null, field: string): string {
  return evidence?.provenance.find((one) => one.field === field)?.counted ?? '';
}

export function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let size = value / 1024;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${size >= 100 ? size.toFixed(0) : size.toFixed(1)} ${units[unit]}`;
}
