import { expect, test } from 'vitest';
import { candidateFactory, dashboardAt, jobFactory, modelFactory, policyFactory } from '../testing/factories';
import { fit, items, ranked } from './model';

const texts = (typed: string, state = dashboardAt(1)) => ranked(items(state, typed), typed).map(({ text }) => text);

test('only what can be done now is offered', () => {
  expect(texts('training')[0]).toBe('Stop training');
  const stopped = dashboardAt(1, { training: { ...dashboardAt(1).training, enabled: false, slug: 'stopped' } });
  expect(texts('training', stopped)).toContain('Start training');
  expect(texts('training', stopped)).not.toContain('Stop training');
  expect(texts('roll')).toEqual([]);
});

test('what is held can be approved, what runs cancelled, what was replaced brought back', () => {
  const state = dashboardAt(1, {
    active: modelFactory.measured({ novel: 5 }),
    candidate: { ...candidateFactory.evaluating({}), stage: 'held' },
    policies: [policyFactory.serving('retry', { previous: 'backoff@0.9.0' })],
    jobs: [jobFactory.running(8)],
  });
  expect(texts('approve', state)[0]).toBe('Approve m-2');
  expect(texts('roll back', state)).toEqual(['Roll back retry to backoff@0.9.0']);
  expect(texts('cancel', state)[0]).toBe('Cancel run 8');
});

test('a number leads to the run and the decision of that number, a word before it to one of them', () => {
  expect(texts('12').slice(0, 2)).toEqual(['Run 12', 'Decision 12']);
  expect(texts('decision 7')[0]).toBe('Decision 7');
  expect(texts('d7')[0]).toBe('Decision 7');
  expect(texts('run #9')[0]).toBe('Run 9');
  expect(texts('12').every((text) => !text.startsWith('Policy version'))).toBe(true);
  expect(texts('0123abcd')[0]).toBe('Policy version 0123abcd');
});

test('before the first state there are pages, and nothing is claimed of the host', () => {
  const found = items(null, '').map(({ id }) => id);
  expect(found).toContain('page-settings');
  expect(found).not.toContain('start');
  expect(found).not.toContain('stop');
});

test('letters fit in their order, beginnings of words best', () => {
  expect(fit('set', 'settings')!).toBeGreaterThan(fit('set', 'the offset')!);
  expect(fit('sttngs', 'settings')).not.toBeNull();
  expect(fit('tes', 'settings')).toBeNull();
  expect(fit('xq', 'settings')).toBeNull();
  expect(texts('diag')[0]).toBe('Diagnostics');
  expect(texts('zzzz')).toEqual([]);
});
