import { expect, test } from 'vitest';
import type { LiveChange, Quality } from '../wire';
import { askedAt, intervalAxis, localField, reading, switchWords } from './model';

const quality = (delta: number, low: number | null, high: number | null, word = 'better'): Quality => ({ candidate: 5 + delta, baseline: 5, delta, low, high, pairs: 48, reading: word, verdict: 'advance' });

test.each([
  [-0.031, -0.05, -0.012],
  [0.4, -0.9, 1.7],
  [0, 0, 0],
  [-2.5, null, null],
])('the axis of %d holds zero and the whole interval between round figures', (delta, low, high) => {
  const axis = intervalAxis(quality(delta, low, high));
  for (const place of [axis.delta, axis.zero, axis.low, axis.high]) if (place !== null) expect(place >= 0 && place <= 100).toBe(true);
  expect(axis.zero).toBe(50);
  expect(axis.ticks[2]!.text).toBe('0');
  expect(axis.ticks.map(({ text }) => text).every((text) => text.length <= 8)).toBe(true);
  if (low !== null) expect(axis.low! <= axis.delta && axis.delta <= axis.high!).toBe(true);
});

test('below zero stands left, and what it means is said in words', () => {
  const axis = intervalAxis(quality(-0.031, -0.05, -0.012));
  expect(axis.high!).toBeLessThan(axis.zero);
  expect(axis.words).toBe('Candidate less baseline: −0.031 bits per byte, 95 % interval −0.050 to −0.012. Below zero is better.');
  expect(intervalAxis(quality(-0.031, null, null)).words).toContain('no interval');
});

test('the host says how the interval reads, also what this page does not know', () => {
  expect(reading(quality(-1, -2, -0.5))).toEqual({ tone: 'good', text: 'better' });
  expect(reading(quality(-1, -2, 0.5, 'no_difference_shown')).tone).toBe('quiet');
  expect(reading(quality(-1, -2, 0.5, 'other')).text).toBe('other');
});

test('a switch names both models, the first one came from nothing', () => {
  const change: LiveChange = { seq: 4, at: 1, model: 'm-2', before: 'm-1', cause: 'applied', decision: 9, actor: null, reason: null };
  expect(switchWords(change)).toBe('m-1 → m-2');
  expect(switchWords({ ...change, before: null })).toBe('none → m-2');
});

test('a time in the field and back', () => {
  const at = Math.floor(Date.UTC(2026, 3, 5, 6, 7, 8) / 1000) * 1000;
  expect(askedAt(localField(at))).toBe(at);
  expect(askedAt('')).toBeNull();
  expect(askedAt('soon')).toBeNull();
});
