import { expect, test } from 'vitest';
import { divergenceFactory, replayFactory } from '../testing/factories';
import type { ReplayLine } from '../wire';
import { casesOf, classesOf, costRows, dryRunFound, groupTables, leftOut, notReplayed, summary, type DryRunFound } from './dryRun';

test('lines add up to what was found; an unknown one is passed over', () => {
  const report = replayFactory.same(3);
  const timing = { before: { micros_p50: 1, micros_p99: 2 }, after: { micros_p50: 1, micros_p99: 2 } };
  const lines: ReplayLine[] = [{ report }, { timing }];
  expect(lines.reduce<DryRunFound | null>(dryRunFound, null)).toEqual({ report, timing });
  expect(dryRunFound(null, { novelty: 1 } as never)).toBeNull();
});

test('the summary says how many change, and what only gives other reasons', () => {
  expect(summary(replayFactory.same(0))).toBe('No decision of this kind is recorded yet: there is nothing to compare with.');
  expect(summary(replayFactory.same(1_200))).toBe('All 1,200 recorded decisions would have been the same.');
  expect(summary(replayFactory.changed(1_000, [['retries_later', 12], ['reason_only', 5]]))).toBe('12 of 1,000 recorded decisions would have been others (1.2 %). 5 more have other reasons only.');
  expect(summary(replayFactory.changed(10, [['gives_up', 1]]))).toBe('1 of 10 recorded decisions would have been another (10 %).');
  expect(summary({ ...replayFactory.same(0), looked_at: 4, not_replayable: [{ slug: 'context_gone', label: 'the context is no longer kept', count: 4 }] })).toBe('None of 4 recorded decisions can be asked again.');
});

test('what could not be asked is counted, with why', () => {
  expect(notReplayed(replayFactory.same(3))).toBe('');
  const gone = { slug: 'context_gone', label: 'the context is no longer kept', count: 3 };
  expect(notReplayed({ ...replayFactory.same(3), not_replayable: [gone, { ...gone, count: 0 }] })).toBe('3 decisions could not be asked again: 3 because the context is no longer kept.');
});

test('new errors stand before other classes', () => {
  expect(classesOf(replayFactory.changed(100, [['retries_later', 9], ['new_error_trap', 2]])).map((one) => [one.slug, one.bad])).toEqual([
    ['new_error_trap', true],
    ['retries_later', false],
  ]);
});

test('groups stand in tables by dimension, in the order they came in', () => {
  const group = (dimension: string, key: string) => ({ dimension, key, replayed: 9, changed: 2, lost: 1, gained: 0 });
  const tables = groupTables([group('host', 'novel'), group('host', 'minutes'), group('source', '3'), group('planet', 'mars')]);
  expect(tables.map(({ title, rows }) => [title, rows.map((row) => row.key).join()])).toEqual([
    ['By host', 'novel,minutes'],
    ['By source', '3'],
    ['By planet', 'mars'],
  ]);
});

test('cost before and after; time only where it was measured', () => {
  const report = { ...replayFactory.same(3), before: { fuel_p50: 1_000, fuel_p99: null }, after: { fuel_p50: 1_500, fuel_p99: 9_000 } };
  expect(costRows(report, null)).toEqual([
    { what: 'Fuel, median', before: '1.0 k', after: '1.5 k', change: '+50 %', worse: true },
    { what: 'Fuel, 99 of 100', before: 'not known', after: '9.0 k', change: '', worse: false },
  ]);
  const timed = costRows({ ...report, before: { fuel_p50: null, fuel_p99: null }, after: { fuel_p50: null, fuel_p99: null } }, { before: { micros_p50: 200, micros_p99: 400 }, after: { micros_p50: 200, micros_p99: 300 } });
  expect(timed.map((row) => row.change)).toEqual(['the same', '−25 %']);
});

test('cases are chosen by class, and what is left out is said', () => {
  const cases = [divergenceFactory.of(1, 'gives_up'), divergenceFactory.of(2, 'retries_later')];
  expect(casesOf(cases, '')).toHaveLength(2);
  expect(casesOf(cases, 'gives_up').map((one) => one.decision)).toEqual([1]);
  expect([leftOut(0, 'case'), leftOut(1, 'case'), leftOut(1_000, 'case')]).toEqual(['', '1 more case is not listed.', '1,000 more cases are not listed.']);
});
