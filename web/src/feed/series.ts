/** Loss curves by run: points from the live feed and from `GET /api/v1/jobs/{id}` merged into one, by step. */

import type { Point } from '../wire';

/** Sorted by step, one entry per step, as a chart wants them. */
export type Series = {
  steps: number[];
  training: (number | null)[];
  heldOut: (number | null)[];
};

export const NO_POINTS: Series = { steps: [], training: [], heldOut: [] };

/** Most points kept per run; beyond it the curve is thinned. */
export const POINTS_MAX = 20_000;
/** Most runs kept; the one untouched for longest goes first. */
export const RUNS_MAX = 12;

/** A later word on a step adds to what is known of it, and replaces what it says anew. */
export function merge(series: Series, points: readonly Point[]): Series {
  if (points.length === 0) return series;
  const sorted = points.toSorted((a, b) => a[0] - b[0]);
  const appends = sorted[0]![0] > (series.steps.at(-1) ?? -1);
  const merged: Series = appends
    ? { steps: [...series.steps], training: [...series.training], heldOut: [...series.heldOut] }
    : { steps: [], training: [], heldOut: [] };
  const push = ([step, training, heldOut]: Point) => {
    const end = merged.steps.length - 1;
    if (merged.steps[end] === step) {
      merged.training[end] = training ?? merged.training[end]!;
      merged.heldOut[end] = heldOut ?? merged.heldOut[end]!;
    } else {
      merged.steps.push(step);
      merged.training.push(training);
      merged.heldOut.push(heldOut);
    }
  };
  if (appends) {
    sorted.forEach(push);
  } else {
    const old = series.steps.map((step, at): Point => [step, series.training[at]!, series.heldOut[at]!]);
    // A stable sort keeps the new word on a step behind the old one.
    [...old, ...sorted].toSorted((a, b) => a[0] - b[0]).forEach(push);
  }
  return merged.steps.length > POINTS_MAX ? thin(merged, POINTS_MAX / 2) : merged;
}

/** At most about `most` points: of each stretch the least and the greatest training loss stay, and every held-out point. */
export function thin(series: Series, most: number): Series {
  const { steps, training, heldOut } = series;
  if (steps.length <= most) return series;
  const stretch = Math.ceil(steps.length / Math.max(1, Math.floor(most / 2)));
  const keep = new Set<number>([0, steps.length - 1]);
  for (let start = 0; start < steps.length; start += stretch) {
    let least: number | null = null;
    let greatest: number | null = null;
    for (let at = start; at < Math.min(start + stretch, steps.length); at++) {
      if (heldOut[at] !== null) keep.add(at);
      const loss = training[at];
      if (loss === null || loss === undefined) continue;
      if (least === null || loss < training[least]!) least = at;
      if (greatest === null || loss > training[greatest]!) greatest = at;
    }
    if (least !== null) keep.add(least);
    if (greatest !== null) keep.add(greatest);
  }
  const kept = [...keep].sort((a, b) => a - b);
  return {
    steps: kept.map((at) => steps[at]!),
    training: kept.map((at) => training[at]!),
    heldOut: kept.map((at) => heldOut[at]!),
  };
}

export class SeriesStore {
  #runs = new Map<number, Series>();

  of(run: number): Series {
    return this.#runs.get(run) ?? NO_POINTS;
  }

  add(run: number, points: readonly Point[]): void {
    const merged = merge(this.of(run), points);
    this.#runs.delete(run);
    this.#runs.set(run, merged);
    const [oldest] = this.#runs.keys();
    if (this.#runs.size > RUNS_MAX && oldest !== undefined) this.#runs.delete(oldest);
  }

  clear(): void {
    this.#runs.clear();
  }
}
