import { expect, test } from 'vitest';
import { Latest } from './latest';

test('a newer question ends the older one, whose answer is no longer heard', () => {
  const latest = new Latest();
  const first = latest.begin();
  expect(first.isLatest()).toBe(true);
  const second = latest.begin();
  expect([first.signal.aborted, first.isLatest()]).toEqual([true, false]);
  expect([second.signal.aborted, second.isLatest()]).toEqual([false, true]);
});

test('after the end nothing is heard', () => {
  const latest = new Latest();
  const turn = latest.begin();
  latest.end();
  latest.end();
  expect([turn.signal.aborted, turn.isLatest()]).toEqual([true, false]);
});
