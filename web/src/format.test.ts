import { expect, test } from 'vitest';
import { ago, bits, compact, duration, durationLong, micros, number, ordinal, plural, signed } from './format';
import { connectionWords, dataAge, stale } from './parts/connection';
import { branches, preview } from './parts/json';
import { lossRange, lossSummary, readout } from './parts/lossChart';

test('numbers', () => {
  expect([bits(4.6631), bits(null)]).toEqual(['4.663', '–']);
  expect([signed(-0.0312), signed(0.0312), signed(0.0001)]).toEqual(['−0.031', '+0.031', '±0.000']);
  expect([compact(999), compact(47_200), compact(1_234_567), compact(250_000_000)]).toEqual(['999', '47.2 k', '1.2 M', '250 M']);
  expect([12_345, 69_296_149_270.25, 1_000.08829, 0.30000000000000004, -0.763, 0.08829, 0.00001234, 0, -0, null].map(number)).toEqual(['12,345', '6.93e+10', '1,000.09', '0.3', '−0.763', '0.0883', '1.23e−5', '0', '0', '–']);
  expect([micros(27), micros(1_250), micros(2_000_000)]).toEqual(['27 µs', '1.3 ms', '2.0 s']);
  expect([1, 2, 3, 4, 11, 12, 13, 21, 102, 111].map(ordinal)).toEqual(['1st', '2nd', '3rd', '4th', '11th', '12th', '13th', '21st', '102nd', '111th']);
  expect([plural(1, 'pair'), plural(1_200, 'pair')]).toEqual(['1 pair', '1,200 pairs']);
});

test('times', () => {
  expect([0, 59_999, 60_000, 3_600_000, 90_000_000].map(duration)).toEqual(['0 s', '59 s', '1 min', '1 h', '1 d']);
  expect([4_200, 72_000, 7_500_000].map(durationLong)).toEqual(['4.2 s', '1 min 12 s', '2 h 5 min']);
  expect([ago(1_000, 500), ago(0, 5_000)]).toEqual(['just now', '5 s ago']);
});

test('the connection in words', () => {
  expect(connectionWords({ kind: 'waiting', attempt: 3, retryAt: 4_000, why: '' }, 0).text).toBe('Reconnecting (3rd try, 4 s)');
  expect(connectionWords({ kind: 'waiting', attempt: 3, retryAt: 4_000, why: '' }, 9_000).text).toBe('Reconnecting (3rd try, 0 s)');
  expect(connectionWords({ kind: 'connecting', attempt: 1 }, 0).text).toBe('Connecting');
  expect(dataAge({ kind: 'live' }, 0, 60_000)).toBeNull();
  expect(dataAge({ kind: 'paused' }, 0, 60_000)).toBe('data from 1 min ago');
  expect([stale({ kind: 'live' }, 0, 60_000), stale({ kind: 'paused' }, 0, 60_000)]).toEqual([false, true]);
});

test('long lists in a tree come in stretches, and nothing is left out', () => {
  const parts = branches(Array.from({ length: 120 }, (_, at) => at))!;
  expect(parts.map(({ name }) => name)).toEqual(['0 to 49', '50 to 99', '100 to 119']);
  expect(parts.flatMap(({ value }) => branches(value)!).map(({ value }) => value)).toEqual(Array.from({ length: 120 }, (_, at) => at));
  expect(branches('text')).toBeNull();
  expect(preview({ a: 1, b: [1], c: 'x' })).toBe('{a 1, b …, c "x"}');
});

test('the chart has an axis and words with no points, one, and many', () => {
  expect(lossRange(null, null)).toEqual([0, 8]);
  const [low, high] = lossRange(5, 5);
  expect(high).toBeGreaterThan(low);
  expect(lossSummary({ steps: [], training: [], heldOut: [] })).toContain('without points');
  const series = { steps: [1, 2], training: [5, 4.9], heldOut: [5.1, null] };
  expect(readout(series, null)).toEqual({ step: 2, training: 4.9, heldOut: 5.1 });
  expect(readout(series, 0)).toEqual({ step: 1, training: 5, heldOut: 5.1 });
  expect(lossSummary(series)).toBe('Loss curve up to step 2, training loss from 5.000 to 4.900 bits per byte, eval loss 5.100');
});
