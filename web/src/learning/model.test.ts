import { expect, test } from 'vitest';
import type { RelayStep, SinkCard } from '../wire';
import { behind, counted, eventWords, excerpt, failureWords, lagWords, latest, memoryCall, pieces, recordsPath } from './model';

const step = (change: Partial<RelayStep>): RelayStep => ({ slug: 'ingest', label: 'Learning Ingest', state: 'active', state_label: 'Active', count_30m: 0, counted: 'outcomes ingested', backlog: 0, lag: 0, lag_max: 20, lag_unit: 'outcomes', latest_id: null, latest_at: null, detail: '', ...change });
const sink = (change: Partial<SinkCard>): SinkCard => ({ name: 'hook', kind: 'webhook', target: 'http://127.0.0.1:9000', events: [], state: 'idle', state_label: '', cursor: 0, lag: 0, lag_is_more: false, delivered: 0, last_at: null, failures: 0, problem: null, next_try_at: null, ...change });
const marked = (text: string, search: string) => pieces(text, search).map(({ text, hit }) => (hit ? `[${text}]` : text)).join('');

test('a step is told beside its limit in its own unit, and over it only above it', () => {
  expect(behind(step({ lag: 20 }))).toEqual({ text: '20 of 20 outcomes', over: false });
  expect(behind(step({ lag: 21 }))).toEqual({ text: '21 of 20 outcomes', over: true });
  expect(behind(step({ lag: 4_200, lag_max: 60_000, lag_unit: 'ms' }))).toEqual({ text: '4 s of 1 min', over: false });
  expect(behind(step({ lag_max: null }))).toBeNull();
});

test('the newest of each step leads to what it is: source, run, or the model', () => {
  expect(latest(step({ slug: 'intake', latest_id: '4' }))).toEqual({ text: 'source 4', href: '#/queue/4' });
  expect(latest(step({ slug: 'execution', latest_id: '9' }))).toEqual({ text: 'run 9', href: '#/jobs/9' });
  expect(latest(step({ slug: 'ingest', latest_id: '9' }))).toEqual({ text: 'run 9', href: '#/jobs/9' });
  expect(latest(step({ slug: 'reuse', latest_id: 'm-3' }))).toEqual({ text: 'm-3', href: '#/promotion' });
  expect(latest(step({}))).toBeNull();
});

test('what was not counted whole is the least it can be', () => {
  expect(counted(1_200, true)).toBe('1,200');
  expect(counted(1_200, false)).toBe('at least 1,200');
  expect(lagWords(sink({ lag: 10_000, lag_is_more: true }))).toBe('more than 10,000');
  expect(lagWords(sink({ lag: 3 }))).toBe('3');
});

test('no kind named means all entries, and no failure is none', () => {
  expect(eventWords([])).toBe('all entries');
  expect(eventWords(['run_finished', 'model_applied'])).toBe('run_finished, model_applied');
  expect([failureWords(sink({})), failureWords(sink({ failures: 1 })), failureWords(sink({ failures: 4 }))]).toEqual(['none', '1 failure in a row', '4 failures in a row']);
});

test('words are marked as the host finds them: whole, whatever their case and accents', () => {
  expect(marked('The Whale, and whales.', 'whale')).toBe('The [Whale], and whales.');
  expect(marked('Read in the évening', 'EVENING the')).toBe('Read in [the] [évening]');
  expect(marked('a*b NEAR "c"', '"near" *')).toBe('a*b [NEAR] "c"');
  expect(marked('<b>sea</b>', 'sea')).toBe('<b>[sea]</b>');
  expect(marked('nothing asked', '')).toBe('nothing asked');
});

test('a long text is shown around the first word that was asked for', () => {
  const text = `${'before '.repeat(60)}whale ${'after '.repeat(60)}`;
  const part = excerpt(text, 'Whale');
  expect(part).toMatch(/^… before .*whale after .* …$/);
  expect(part.length).toBeLessThan(240);
  expect(excerpt(text, 'none')).toMatch(/^before /);
  expect(excerpt('short\n text', 'text')).toBe('short text');
  expect(excerpt(`${'x'.repeat(300)} whale`, 'whale')).toContain('whale');
});

test('the words are sent and copied as they are, and none ask for the newest', () => {
  expect(recordsPath('  ')).toBe('/api/v1/memory?limit=12');
  expect(recordsPath('sea & whale')).toBe('/api/v1/memory?q=sea+%26+whale&limit=12');
  expect(memoryCall('sea whale').cli).toEqual(['memory', 'search', 'sea', 'whale']);
  expect(memoryCall('').cli).toEqual(['memory', 'status']);
});
