/** What a dry run says, line by line and as a whole; the views only draw it. */

import { compact, count, micros, number, plural } from '../format';
import type { Counted, Divergence, ReplayGroup, ReplayLine, ReplayReport, ReplayTiming } from '../wire';
import { percent } from './model';

/** How many of the latest decisions are asked again. */
export const WINDOWS = [100, 1_000, 10_000];
export const WINDOW_FIRST = 1_000;

export type DryRunFound = { report: ReplayReport; timing: ReplayTiming | null };

/** One more line of the answer; the timing comes after the report. What an older page does not know is passed over. */
export function dryRunFound(before: DryRunFound | null, line: ReplayLine): DryRunFound | null {
  if ('report' in line) return { report: line.report, timing: null };
  if ('timing' in line && before !== null) return { ...before, timing: line.timing };
  return before;
}

export const REASON_ONLY = 'reason_only';

/** `12 of 1,000 recorded decisions would have been others (1.2 %).` */
export function summary(report: ReplayReport): string {
  if (report.looked_at === 0) return 'No decision of this kind is recorded yet: there is nothing to compare with.';
  if (report.replayed === 0) return `None of ${plural(report.looked_at, 'recorded decision')} can be asked again.`;
  const others = report.classes.find((one) => one.slug === REASON_ONLY)?.count ?? 0;
  const reasons = others === 0 ? '' : ` ${count(others)} more ${others === 1 ? 'has' : 'have'} other reasons only.`;
  if (report.changed === 0) return `All ${plural(report.replayed, 'recorded decision')} would have been the same.${reasons}`;
  return `${count(report.changed)} of ${plural(report.replayed, 'recorded decision')} would have been ${report.changed === 1 ? 'another' : 'others'} (${percent(report.changed_share)}).${reasons}`;
}

/** What could not be asked, with why. Empty where all could. */
export function notReplayed(report: ReplayReport): string {
  const left = report.not_replayable.filter((one) => one.count > 0);
  if (left.length === 0) return '';
  const sum = left.reduce((all, one) => all + one.count, 0);
  return `${plural(sum, 'decision')} could not be asked again: ${left.map((one) => `${count(one.count)} because ${one.label}`).join(', ')}.`;
}

/** New errors first, then as the host sorts them. */
export function classesOf(report: ReplayReport): (Counted & { bad: boolean })[] {
  const classes = report.classes.map((one) => ({ ...one, bad: one.slug.startsWith('new_error') }));
  return [...classes.filter((one) => one.bad), ...classes.filter((one) => !one.bad)];
}

const DIMENSIONS: Record<string, string> = { host: 'By host', campaign: 'By campaign', source: 'By source', model: 'By model' };

export type GroupTable = { dimension: string; title: string; rows: ReplayGroup[] };

/** In the host's order, dimension by dimension. */
export function groupTables(groups: readonly ReplayGroup[]): GroupTable[] {
  const tables: GroupTable[] = [];
  for (const group of groups) {
    const table = tables.find((one) => one.dimension === group.dimension);
    if (table) table.rows.push(group);
    else tables.push({ dimension: group.dimension, title: DIMENSIONS[group.dimension] ?? `By ${group.dimension}`, rows: [group] });
  }
  return tables;
}

export type CostRow = { what: string; before: string; after: string; change: string; worse: boolean };

/** Fuel is the same each time; time is measured, and another at each run. */
export function costRows(report: ReplayReport, timing: ReplayTiming | null): CostRow[] {
  const rows: CostRow[] = [];
  const add = (what: string, before: number | null, after: number | null, words: (value: number) => string) => {
    if (before === null && after === null) return;
    const change = before !== null && after !== null && before > 0 ? after / before - 1 : null;
    rows.push({
      what,
      before: before === null ? 'not known' : words(before),
      after: after === null ? 'not known' : words(after),
      change: change === null ? '' : Math.abs(change) < 0.005 ? 'the same' : `${change > 0 ? '+' : '−'}${number(Math.round(Math.abs(change) * 100))} %`,
      worse: change !== null && change > 0.1,
    });
  };
  add('Fuel, median', report.before.fuel_p50, report.after.fuel_p50, compact);
  add('Fuel, 99 of 100', report.before.fuel_p99, report.after.fuel_p99, compact);
  if (timing !== null) {
    add('Time, median', timing.before.micros_p50, timing.after.micros_p50, micros);
    add('Time, 99 of 100', timing.before.micros_p99, timing.after.micros_p99, micros);
  }
  return rows;
}

/** Cases of one class, or all of them. The first divergence is told apart. */
export function casesOf(cases: readonly Divergence[], chosen: string): Divergence[] {
  return chosen === '' ? [...cases] : cases.filter((one) => one.class === chosen);
}

/** `4 more are not listed.` */
export function leftOut(n: number, one: string): string {
  return n === 0 ? '' : `${plural(n, `more ${one}`)} ${n === 1 ? 'is' : 'are'} not listed.`;
}
