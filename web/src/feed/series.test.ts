import { expect, test } from 'vitest';
import type { Point } from '../wire';
import { merge, NO_POINTS, POINTS_MAX, RUNS_MAX, SeriesStore, thin } from './series';

const points = (from: number, to: number): Point[] => Array.from({ length: to - from }, (_, at) => [from + at, 5 - (from + at) / 1000, null]);

test('live points and loaded points meet in any order without doubles', () => {
  const live = merge(NO_POINTS, points(10, 15));
  const both = merge(live, points(0, 12));
  expect(both.steps).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
  expect(merge(both, points(0, 15)).steps).toEqual(both.steps);
});

test('a held-out loss joins the training loss of its step', () => {
  const one = merge(NO_POINTS, [[5, 4.2, null]]);
  const two = merge(one, [[5, null, 4.4], [6, 4.1, null]]);
  expect(two).toEqual({ steps: [5, 6], training: [4.2, 4.1], heldOut: [4.4, null] });
});

test('what was given is not changed', () => {
  const one = merge(NO_POINTS, points(0, 3));
  merge(one, points(3, 6));
  expect(one.steps).toHaveLength(3);
  expect(NO_POINTS.steps).toHaveLength(0);
});

test('thinning keeps the extremes, the ends and every held-out point', () => {
  const series = merge(NO_POINTS, points(0, 5_000));
  series.training[1_234] = 9;
  series.training[4_321] = 1;
  series.heldOut[777] = 4.5;
  const thinned = thin(series, 400);
  expect(thinned.steps.length).toBeLessThanOrEqual(405);
  expect(thinned.steps).toEqual(expect.arrayContaining([0, 777, 1_234, 4_321, 4_999]));
  expect(thinned.training[thinned.steps.indexOf(1_234)]).toBe(9);
});

test('a run has a most of points, the store a most of runs', () => {
  const store = new SeriesStore();
  store.add(1, points(0, POINTS_MAX + 1));
  expect(store.of(1).steps.length).toBeLessThanOrEqual(POINTS_MAX / 2 + 2);
  for (let run = 2; run <= RUNS_MAX + 1; run++) store.add(run, points(0, 1));
  expect(store.of(1).steps).toHaveLength(0);
  expect(store.of(RUNS_MAX + 1).steps).toHaveLength(1);
});
