/** A dry run under way, and what it said. A newer one ends the older. */

import { writeForLines } from '../api';
import { Latest } from '../latest';
import type { Problem, ReplayLine, ReplayProgress, ReplayReport, ReplayTiming } from '../wire';
import { heard, NOTHING_HEARD, WINDOW_FIRST } from './dryRun';
import type { Kept, Upload } from './upload';

/** What is asked about: a policy as it is given, or a version on record. */
export type Subject = { policy: Upload | Kept };

const NO_REPORT: Problem = { type: 'about:blank', title: 'The host ended the dry run without a report', status: 0, detail: 'The answer held none.', code: 'no-report', errors: [], fix: 'Try again' };

export class DryRunner {
  running = $state(false);
  progress = $state.raw<ReplayProgress | null>(null);
  /** The latest that came to its end; it stays while the next is under way. */
  report = $state.raw<ReplayReport | null>(null);
  timing = $state.raw<ReplayTiming | null>(null);
  problem = $state.raw<Problem | null>(null);
  cancelled = $state(false);
  /** Milliseconds from the question to the report. */
  took = $state<number | null>(null);
  #latest = new Latest();

  async run(subject: Subject, last: number = WINDOW_FIRST): Promise<void> {
    const turn = this.#latest.begin();
    const began = performance.now();
    this.running = true;
    this.cancelled = false;
    this.progress = null;
    this.problem = null;
    let found = NOTHING_HEARD;
    const result = await writeForLines<ReplayLine>(
      '/api/v1/policies/dry-run',
      { ...subject, last },
      (line) => {
        if (!turn.isLatest()) return;
        found = heard(found, line);
        this.progress = found.progress;
      },
      turn.signal,
    );
    if (!turn.isLatest()) return;
    this.running = false;
    this.progress = null;
    this.problem = result.ok ? (found.problem ?? (found.report === null ? NO_REPORT : null)) : result.problem;
    if (result.ok && found.problem === null && found.report !== null) {
      this.report = found.report;
      this.timing = found.timing;
      this.took = performance.now() - began;
    }
  }

  /** Ends what is under way; the host ends its work when nobody listens. */
  end(): void {
    this.#latest.end();
    this.running = false;
    this.progress = null;
  }

  /** By hand. */
  cancel(): void {
    if (!this.running) return;
    this.end();
    this.cancelled = true;
  }
}
