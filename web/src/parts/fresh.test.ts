import { expect, test } from 'vitest';
import { freshness, streamedFreshness } from './fresh';

const VIEW = { fingerprint: 'ab12', seq: 7, generated_at: 1_000, age_ms: 500, ttl_ms: 5_000 };

test('nothing received is no snapshot, whatever the time', () => {
  expect(freshness(null, null, 99).slug).toBe('none');
  expect(streamedFreshness(null, true, null, 99).slug).toBe('none');
});

test('age counts from the answer, with what it had then', () => {
  expect(freshness(VIEW, 10_000, 13_000)).toMatchObject({ slug: 'fresh', text: '3 s / 5 s ttl' });
  expect(freshness(VIEW, 10_000, 14_500).slug).toBe('fresh');
  expect(freshness(VIEW, 10_000, 14_501)).toMatchObject({ slug: 'stale', tone: 'bad' });
});

test('a clock that jumps back makes nothing younger than it came', () => {
  expect(freshness(VIEW, 10_000, 1_000).text).toBe('0 s / 5 s ttl');
});

test('what is streamed is live as long as the stream is, and ages without it', () => {
  expect(streamedFreshness(VIEW, true, 10_000, 99_000).slug).toBe('live');
  expect(streamedFreshness(VIEW, false, 10_000, 12_000).slug).toBe('fresh');
  expect(streamedFreshness(VIEW, false, 10_000, 99_000).slug).toBe('stale');
});
