import { expect, test } from 'vitest';
import { exact } from './api';

test('numbers too large for a number keep their digits', () => {
  expect(exact('seed', 7191089600892374000, { source: '7191089600892374123' })).toBe('7191089600892374123');
  expect(exact('seed', 7, { source: '7' })).toBe(7);
  expect(exact('loss', 1e300, { source: '1e300' })).toBe(1e300);
  expect(exact('loss', 0.5, { source: '0.5' })).toBe(0.5);
  // An older browser does not tell the source.
  expect(exact('seed', 7191089600892374000)).toBe(7191089600892374000);
});
