import { expect, test } from 'vitest';
import type { FlipReport, VerificationReport, VerificationRow } from '../wire';
import { flipStep, flipsText, indented, resultText, verdictOfAll } from './proof';

const row = (result: string, detail: string): VerificationRow => ({ decision: 1, kind: 'retry', policy: 'backoff@1.0.0', result, recorded: 'again in 2 s', detail });
const report = (change: Partial<VerificationReport>): VerificationReport => ({ looked_at: 0, identical: 0, same_verdict: 0, diverged: 0, not_replayable: 0, why_not: [], engines: [], rows: [], ...change });
const flips = (change: Partial<FlipReport>): FlipReport => ({ decision: 1, policy: 'backoff@1.0.0', flips: [], fields: 4, asked: 96, complete: true, why_not: null, ...change });

test('a verification is told in words', () => {
  expect(resultText(row('identical', 'verdict, reasons, scores, state and fuel are the same'))).toBe('Made again from its record, it is the same: verdict, reasons, scores, state and fuel are the same.');
  expect(resultText(row('not_replayable', 'its context is no longer kept'))).toBe('It cannot be made again: its context is no longer kept.');
  expect(resultText(row('something_new', 'so'))).toBe('so.');
});

test('one that diverged is said before all that are identical', () => {
  expect(verdictOfAll(report({})).word).toBe('nothing to verify');
  expect(verdictOfAll(report({ looked_at: 9, identical: 9 })).text).toBe('All 9 decisions came out identical.');
  expect(verdictOfAll(report({ looked_at: 9, identical: 7, not_replayable: 2 })).text).toBe('All that could be made again, 7 decisions, came out identical. 2 could not be made again.');
  expect(verdictOfAll(report({ looked_at: 9, identical: 7, same_verdict: 1, diverged: 1 })).mark.tone).toBe('bad');
  expect(verdictOfAll(report({ looked_at: 9, identical: 8, same_verdict: 1 })).mark.tone).toBe('warn');
  expect(verdictOfAll(report({ looked_at: 2, not_replayable: 2 })).text).toBe('None of 2 decisions could be made again.');
});

test('flips say whether everything was tried, or why nothing is told', () => {
  expect(flipsText(flips({}))).toBe('No single number makes another decision: 4 numbers of the context moved one at a time, in 96 questions to backoff@1.0.0.');
  expect(flipsText(flips({ complete: false }))).toContain('the questions ran out before every number was moved');
  expect(flipsText(flips({ why_not: 'a built-in fallback answered, which is no policy' }))).toBe('Nothing can be told: a built-in fallback answered, which is no policy.');
});

test('a step says from where to where, and by how much', () => {
  const flip = { field: 'attempt', from: 2, to: 5, verdict: 'give_up', becomes: 'gives up' };
  expect(flipStep(flip)).toEqual({ from: '2', to: '5', by: '+3' });
  expect(flipStep({ ...flip, from: 1.5, to: 0.25 })).toEqual({ from: '1.5', to: '0.25', by: '−1.25' });
});

test('a case is indented without a number being touched', () => {
  const text = '{"name":"a {b}: [c], \\"d\\"","context":{"seed":18446744073709551615,"pairs":[],"x":{ }},"list":[1,2.50,-3e5,null,true]}';
  const lines = indented(text);
  expect(lines).toContain('"seed": 18446744073709551615');
  expect(lines).toContain('"pairs": [],\n    "x": {}');
  expect(lines).toContain('2.50,\n    -3e5');
  expect(JSON.parse(lines)).toEqual(JSON.parse(text));
});
