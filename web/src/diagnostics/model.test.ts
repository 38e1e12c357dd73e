import { expect, test } from 'vitest';
import type { Evidence } from '../wire';
import { sessionBaseline } from './baseline';
import { bytes, coverageWords, gains, recentWords } from './model';

const EVIDENCE: Evidence = {
  view: { fingerprint: 'f', seq: 9, generated_at: 0, age_ms: 0, ttl_ms: 5_000 },
  since: 3,
  baseline_at: 1,
  outcomes_gained: 4,
  successes_gained: 3,
  live_applies_gained: 0,
  rolled_back_gained: 1,
  queue_consumed: 2,
  decisions_gained: 1_200,
  last_model_switch: null,
  provenance: [],
};

test('not loaded is a dash, nothing gained is plus zero', () => {
  expect(gains(null).map(({ value }) => value)).toEqual(['–', '–', '–', '–', '–', '–']);
  const found = Object.fromEntries(gains(EVIDENCE).map(({ field, value, good }) => [field, [value, good]]));
  expect(found).toMatchObject({ successes_gained: ['+3', true], live_applies_gained: ['+0', false], decisions_gained: ['+1,200', true], rolled_back_gained: ['+1', false] });
});

test('a rate is never bare, and none without outcomes', () => {
  expect(recentWords({ successes: 8, outcomes: 10, window: 100, percent: 80 })).toBe('8/10 (80 %), last 100');
  expect(recentWords({ successes: 0, outcomes: 0, window: 100, percent: null })).toBe('no outcome yet');
  expect(recentWords({ successes: 0, outcomes: 4, window: 100, percent: 0 })).toBe('0/4 (0 %), last 100');
  expect(coverageWords({ with_trace: 0, outcomes: 0, percent: null })).toBe('no outcome yet');
});

test('the baseline is where the visit began, kept over a reload, and dropped for another journal', () => {
  const kept = new Map<string, string>();
  const storage = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) };
  expect(sessionBaseline({ seq: 10, at: 1 }, storage)).toEqual({ seq: 10, at: 1 });
  expect(sessionBaseline({ seq: 25, at: 2 }, storage)).toEqual({ seq: 10, at: 1 });
  expect(sessionBaseline({ seq: 4, at: 3 }, storage)).toEqual({ seq: 4, at: 3 });
  kept.set('pointsman.baseline', 'rubbish');
  expect(sessionBaseline({ seq: 30, at: 4 }, storage)).toEqual({ seq: 30, at: 4 });
  expect(sessionBaseline({ seq: 5, at: 5 }, null)).toEqual({ seq: 5, at: 5 });
});

test('sizes of files', () => {
  expect([bytes(0), bytes(1023), bytes(2_338_816), bytes(5 * 1024 ** 3)]).toEqual(['0 B', '1023 B', '2.2 MiB', '5.0 GiB']);
});
