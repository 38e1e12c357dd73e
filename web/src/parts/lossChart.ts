/** What the loss chart says in words and numbers. */

import type { Series } from '../feed/series';
import { bits } from '../format';

export type Readout = { step: number | null; training: number | null; heldOut: number | null };

/** The point under the cursor, or the latest known values. */
export function readout(series: Series, at: number | null): Readout {
  if (at !== null && at < series.steps.length) {
    return { step: series.steps[at]!, training: series.training[at]!, heldOut: series.heldOut[at]! };
  }
  return {
    step: series.steps.at(-1) ?? null,
    training: series.training.findLast((loss) => loss !== null) ?? null,
    heldOut: series.heldOut.findLast((loss) => loss !== null) ?? null,
  };
}

export function tail(series: Series, most: number): { step: number; training: number | null; heldOut: number | null }[] {
  const from = Math.max(0, series.steps.length - most);
  return series.steps.slice(from).map((step, at) => ({ step, training: series.training[from + at]!, heldOut: series.heldOut[from + at]! }));
}

/** A little air above and below; an axis even where there is one value or none. */
export function lossRange(least: number | null, greatest: number | null): [number, number] {
  if (least === null || greatest === null) return [0, 8];
  const air = Math.max(0.05, (greatest - least) * 0.08);
  return [Math.max(0, least - air), greatest + air];
}

export function lossSummary(series: Series): string {
  if (series.steps.length === 0) return 'Loss curve without points yet';
  const { step, training, heldOut } = readout(series, null);
  const first = series.training.find((loss) => loss !== null) ?? null;
  const parts = [`Loss curve up to step ${step}`];
  if (training !== null) parts.push(`training loss from ${bits(first)} to ${bits(training)} bits per byte`);
  if (heldOut !== null) parts.push(`eval loss ${bits(heldOut)}`);
  return parts.join(', ');
}
