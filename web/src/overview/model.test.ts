import { expect, test } from 'vitest';
import { candidateFactory, dashboardAt, decisionFactory, jobFactory, modelFactory } from '../testing/factories';
import { announcement, applyWords, bitsTable, compare, curveJob, knownHosts, ofKind, problemPlace, trainingButton } from './model';

test('the curve is that of the run that trains, else of the last that did', () => {
  expect(curveJob([])).toBeNull();
  expect(curveJob([jobFactory.queued(1)])).toBeNull();
  expect(curveJob([jobFactory.running(3, { class: 'eval' }), jobFactory.completed(2)])).toMatchObject({ job: { id: 2 }, live: false });
  expect(curveJob([jobFactory.completed(4), jobFactory.running(3)])).toMatchObject({ job: { id: 3 }, live: true });
});

test('less is better, and a difference that no one sees is none', () => {
  expect(compare(5.1, 5.0)).toBe('better');
  expect(compare(5.0, 5.1)).toBe('worse');
  expect(compare(5.0, 5.0004)).toBe('same');
});

test('the table of bits shows the active model alone until a candidate is measured', () => {
  const active = modelFactory.measured({ novel: 5.2, recipes: 4.9 });
  expect(bitsTable(null, null)).toBeNull();
  expect(bitsTable(active, candidateFactory.evaluating({}))?.rows.map((row) => row.candidate)).toEqual([null, null]);
  const table = bitsTable(active, candidateFactory.evaluating({ novel: [5.2, 5.0], recipes: [4.9, 5.0] }));
  expect(table?.rows.map((row) => row.verdict)).toEqual(['better', 'worse']);
  for (const row of table?.rows ?? []) {
    expect(row.baselineAt).toBeGreaterThan(0);
    expect(row.baselineAt).toBeLessThan(100);
  }
});

test('one host with round figures still has an axis', () => {
  const table = bitsTable(modelFactory.measured({ novel: 5 }), null)!;
  expect(table.high).toBeGreaterThan(table.low);
  expect(table.rows[0]!.baselineAt).toBeGreaterThan(0);
});

test('an apply without figures still says what replaced what', () => {
  const apply = { at: 1, model: 'm-2', before: 'm-1', bits_before: null, bits_after: null, decision: null };
  expect(applyWords(apply)).toEqual({ verdict: null, text: 'm-1 → m-2' });
  expect(applyWords({ ...apply, bits_before: 5.1, bits_after: 5 })).toEqual({ verdict: 'better', text: '5.100 → 5.000' });
});

test('the button asks for what is not wanted, the note says what is still true', () => {
  const { training } = dashboardAt(1);
  expect(trainingButton(training)).toMatchObject({ action: 'stop' });
  expect(trainingButton({ ...training, enabled: false, running: 1 })).toEqual({ action: 'start', text: 'Start training', note: 'The run under way will end by itself' });
  expect(trainingButton({ ...training, enabled: false, running: 0 }).note).toBe('');
});

test('a refused file is named as an editor jumps to it', () => {
  const problem = { code: 'PM2104', stage: 'compile', file: 'retry.rhai', line: 12, column: 9, message: '', fix: null };
  expect(problemPlace(problem)).toBe('retry.rhai:12:9');
  expect(problemPlace({ ...problem, line: null, column: null })).toBe('retry.rhai');
});

test('hosts are suggested once each, in order', () => {
  const state = dashboardAt(1, { active: modelFactory.measured({ novel: 5, recipes: 4 }), jobs: [jobFactory.queued(1, { host: 'minutes' }), jobFactory.queued(2)] });
  expect(knownHosts(state)).toEqual(['minutes', 'novel', 'recipes']);
});

test('decisions of a kind', () => {
  const decisions = [decisionFactory.answered(2, { kind: 'retry' }), decisionFactory.answered(1)];
  expect(ofKind(decisions, 'retry').map(({ id }) => id)).toEqual([2]);
  expect(ofKind(decisions, '')).toHaveLength(2);
});

test('the announcement stays the same while only numbers move', () => {
  expect(announcement(dashboardAt(1), 'live')).toBe(announcement(dashboardAt(2, { jobs: [jobFactory.running(1)] }), 'live'));
  expect(announcement(dashboardAt(1), 'waiting')).toContain('lost');
});
