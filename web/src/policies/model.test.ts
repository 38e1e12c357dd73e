import { expect, test } from 'vitest';
import { activationFactory, policyFactory, shadowFactory, stageFactory, swapFactory, versionFactory } from '../testing/factories';
import type { PolicyCard } from '../wire';
import { agreement, badges, beganWith, breakerView, countdown, endOf, guards, history, olderFirst, percent, picked, recordKey, stageProgress, stageTime, swapGenerations, swapName, swapPlace, swapsOf, swapWord, took, toConfirm, versionName } from './model';

test('a kind that simply serves has nothing to tell; trouble comes before trials', () => {
  expect(badges(policyFactory.serving('retry'))).toEqual([]);
  const busy = policyFactory.serving('retry', {
    confirm_by: 5,
    pinned: 'by ada',
    shadows: [shadowFactory.watching(1, 0), { ...shadowFactory.watching(1, 0), digest: 'cd' }],
    quarantine: [{ key: 'ab', since: 1, faults: 2, detail: '' }],
    canary: { name: 'backoff', version: '2.0.0', digest: 'ab', engine: 'rhai', share: 0.2, actor: 'web', reason: '', since: 1, decisions: 0, faults: 0, faults_in_a_row: 0 },
  });
  expect(badges(busy).map((badge) => badge.text)).toEqual(['to be confirmed', '1 input set aside', 'canary 20 %', '2 shadows', 'pinned']);
});

test('a host that does not tell of breaker and trials yet is shown all the same', () => {
  const { breaker: _, quarantine: _quarantine, canary: _canary, shadows: _shadows, ...older } = policyFactory.serving('retry');
  expect(badges(older as PolicyCard)).toEqual([]);
  expect(breakerView(undefined).tripped).toBe(0);
});

test('the breaker says how far it is from tripping', () => {
  const { breaker } = policyFactory.serving('retry');
  expect(breakerView(breaker)).toMatchObject({ warn: false, row: '0 of 3', window: '0 of 5 in 10 min' });
  expect(breakerView({ ...breaker, faults_in_a_row: 2, faults_in_window: 2 })).toMatchObject({ warn: true, short: '2 faults in a row' });
  expect(breakerView({ ...breaker, faults_in_window: 1 })).toMatchObject({ warn: true, short: '1 fault of late' });
});

test('what is left is counted down to nothing and no further', () => {
  expect(countdown(247_000, 0)).toBe('04:07');
  expect(countdown(3_727_000, 0)).toBe('1:02:07');
  expect(countdown(500, 0)).toBe('00:01');
  expect(countdown(0, 500)).toBe('00:00');
});

test('shares are written in percent', () => {
  expect([percent(0.2), percent(0.025), percent(1), percent(0)]).toEqual(['20 %', '2.5 %', '100 %', '0 %']);
});

test('agreement is a share of what was judged, and none before that', () => {
  expect(agreement(shadowFactory.watching(0, 0))).toEqual({ text: 'not asked yet', share: null });
  expect(agreement(shadowFactory.watching(188, 12))).toEqual({ text: '188 of 200, 94 %', share: 0.94 });
});

test('times of stages are short, and a stage without one shows none', () => {
  expect(stageTime(stageFactory.waiting('parse'))).toBe('');
  expect(stageTime(stageFactory.passed('parse', 0))).toBe('< 1 ms');
  expect(stageTime(stageFactory.passed('parse', 31.4))).toBe('31 ms');
  expect(stageTime(stageFactory.passed('shadow', 12_340))).toBe('12.3 s');
});

test('progress is shown while a stage runs, not before it counts', () => {
  expect(stageProgress(stageFactory.running('replay'))).toBeNull();
  expect(stageProgress(stageFactory.running('replay', { done: 70, total: 200 }))).toEqual({ done: 70, total: 200 });
  expect(stageProgress(stageFactory.waiting('replay', { status: 'passed', done: 200, total: 200 }))).toBeNull();
});

test('a swap is called by its files until they have said who they are', () => {
  const swap = swapFactory.running(1, [{}, { file: 'gate.wasm', policy: 'gate@2.0.0', stages: [stageFactory.passed('fetch', 1), stageFactory.running('parse')] }]);
  expect(swapName(swap)).toBe('retry.rhai + gate@2.0.0');
  expect(swapPlace(swap.parts[1]!)).toBe('parse, 2 of 2');
  expect(swapPlace(swap.parts[0]!)).toBe('');
  expect(swapGenerations(swap)).toBe('');
  expect(swapGenerations(swapFactory.active(2))).toBe('gen 2');
  expect(swapGenerations(swapFactory.active(2, [{ generation: 4 }, { generation: 2 }]))).toBe('gens 4, 2');
});

test('a swap that made no generation is done, not active', () => {
  expect(swapWord(swapFactory.active(1))).toBe('active');
  expect(swapWord(swapFactory.active(1, [{ generation: null }]))).toBe('done');
  expect(swapWord(swapFactory.running(1))).toBe('under way');
});

test('a swap is to be confirmed as long as what it brought in serves unconfirmed', () => {
  const swap = { ...swapFactory.active(1), confirm_by: 9_000 };
  expect(toConfirm(swap, [policyFactory.serving('retry', { generation: 2, confirm_by: 9_000 })])).toBe(9_000);
  expect(toConfirm(swap, [policyFactory.serving('retry', { generation: 2 })])).toBeNull();
  expect(toConfirm(swap, [policyFactory.serving('retry', { generation: 3, confirm_by: 12_000 })])).toBeNull();
  expect([took(31.4), took(1_300), took(72_000)]).toEqual(['31 ms', '1.3 s', '1 min 12 s']);
});

test('swaps of a kind: those under way first of all, also those that have not said their kind', () => {
  const swaps = [swapFactory.running(9), swapFactory.running(8, [{ kind: 'curriculum' }]), swapFactory.failed(7, null), swapFactory.active(6), ...[5, 4, 3, 2, 1, 0].map((id) => swapFactory.active(id))];
  const retry = swapsOf(swaps, 'retry');
  expect(retry.running.map((swap) => swap.id)).toEqual([9]);
  expect(retry.over.map((swap) => swap.id)).toEqual([6, 5, 4, 3, 2, 1]);
  expect(swapsOf(swaps, '').over[0]?.id).toBe(7);
  expect(swapsOf(undefined, '')).toEqual({ running: [], over: [] });
});

test('the history offers each version once: the one before by rollback, older ones again', () => {
  const card = policyFactory.serving('retry', { digest: 'c', name: 'p', version: '3', previous: 'p@2' });
  const rows = [activationFactory.of(5, 'p@3', 'c'), activationFactory.of(4, 'p@2', 'b'), activationFactory.of(3, 'p@1', 'a'), activationFactory.of(2, 'p@2', 'b'), activationFactory.of(1, 'built', 'x', { engine: 'built-in' })];
  expect(history(rows, card).map((step) => step.back)).toEqual(['serves', 'previous', 'again', 'none', 'none']);
});

test('a time in service that ended badly says so', () => {
  expect(endOf(activationFactory.of(1, 'p@1', 'a'))).toBeNull();
  expect(endOf(activationFactory.of(1, 'p@1', 'a', { outcome: 'replaced', ended_at: 5 }))).toBeNull();
  expect(endOf(activationFactory.of(1, 'p@1', 'a', { outcome: 'timed_out', ended_at: 5 }))?.text).toBe('taken back');
  expect(beganWith(activationFactory.of(1, 'p@1', 'a'))).toBe('');
  expect(beganWith(activationFactory.of(1, 'p@1', 'a', { state: 'restored' }))).toBe('with the state it had');
});

test('the record is asked for again when a generation, a canary or a confirmation changes, not with each decision', () => {
  const before = recordKey([policyFactory.serving('retry')]);
  expect(recordKey([policyFactory.serving('retry', { decisions: 900, faults: 2 })])).toBe(before);
  expect(recordKey([policyFactory.serving('retry', { generation: 2 })])).not.toBe(before);
  expect(recordKey([policyFactory.serving('retry', { confirm_by: 7 })])).not.toBe(before);
  expect(recordKey(undefined)).toBe('');
});

test('two versions are picked at most, and compared from the older to the newer', () => {
  expect(picked(['a', 'b'], 'c')).toEqual(['b', 'c']);
  expect(picked(['a', 'b'], 'a')).toEqual(['b']);
  const versions = [versionFactory.kept('new', 20), versionFactory.kept('old', 10)];
  expect(olderFirst('new', 'old', versions)).toEqual(['old', 'new']);
  expect(versionName('old', versions)).toBe('backoff@1.0.0');
  expect(versionName('0123456789abcdef', versions)).toBe('0123456789ab');
});

test('guards that are off say so, and those a host does not have are left out', () => {
  const rows = guards({ guard_host_loss_max: null, guard_runs_per_host_max: 1, guard_error_rise: 0.02 });
  expect(rows.map(({ name, value, on }) => [name, value, on])).toEqual([
    ['guard_host_loss_max', 'no guard', false],
    ['guard_runs_per_host_max', '1 run', true],
    ['guard_error_rise', '2 %', true],
  ]);
  expect(guards({ guard_runs_per_host_max: 0 })[0]?.value).toBe('no guard');
});
