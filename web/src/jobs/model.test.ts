import { expect, test } from 'vitest';
import { jobFactory } from '../testing/factories';
import { gapWords, joined, matching, outcome, ranFor, statusCounts, underWay } from './model';

const jobs = [jobFactory.running(4), jobFactory.failed(3, { host: 'recipes', error: 'Out of memory' }), jobFactory.completed(2), jobFactory.completed(1, { name: 'Bread' })];

test('every word must be found somewhere in the row', () => {
  const find = (search: string, status = '') => matching(jobs, { search, status }).map(({ id }) => id);
  expect(find('')).toEqual([4, 3, 2, 1]);
  expect(find('MEMORY recipes')).toEqual([3]);
  expect(find('memory bread')).toEqual([]);
  expect(find('#2')).toEqual([2]);
  expect(find('', 'completed')).toEqual([2, 1]);
});

test('counts follow the search, not the status', () => {
  expect(Object.fromEntries(statusCounts(jobs, ''))).toEqual({ running: 1, failed: 1, completed: 2 });
  expect(Object.fromEntries(statusCounts(jobs, 'bread'))).toEqual({ completed: 1 });
});

test('the live row is the newer word', () => {
  expect(joined([jobFactory.completed(5)], [jobFactory.running(5), jobFactory.running(4)]).map(({ id, status_slug }) => [id, status_slug])).toEqual([
    [5, 'completed'],
    [4, 'running'],
  ]);
});

test('how long a run has run', () => {
  expect(ranFor(jobFactory.queued(1), 0)).toBeNull();
  const running = jobFactory.running(1);
  expect(ranFor(running, running.started_at! + 500)).toBe(500);
  expect(ranFor(jobFactory.completed(1), 9e15)).toBe(8_000);
  expect([jobFactory.queued(1), running, jobFactory.failed(1)].map(underWay)).toEqual([true, true, false]);
});

test('what came of a run', () => {
  expect(outcome(jobFactory.running(1))).toBeNull();
  expect(outcome(jobFactory.completed(1))).toEqual({ good: true, word: 'made m-2', text: '' });
  expect(outcome(jobFactory.failed(1))).toEqual({ good: false, word: 'infra', text: 'worker lost' });
  expect(outcome(jobFactory.failed(1, { status_slug: 'cancelled', failure_class: null, error: 'not needed' }))).toEqual({ good: false, word: 'cancelled', text: 'not needed' });
});

test('a gap in what a run was given is told by the name of its slot', () => {
  const slots = [{ slot: 'similar', label: 'Successes about the like', budget_chars: 10, used_chars: 0, items: [] }];
  expect(gapWords('slot_underfilled:similar', slots)).toBe('Successes about the like: less than half of the room was filled');
  expect(gapWords('slot_underfilled:other', slots)).toBe('other: less than half of the room was filled');
  expect(gapWords('memory_unavailable', slots)).toContain('did not answer');
  expect(gapWords('something_new', slots)).toBe('something_new');
});
