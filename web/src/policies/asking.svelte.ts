/** A long question to the host's record under way, and what it answered. A newer one ends the older. */

import { writeForLines } from '../api';
import { Latest } from '../latest';
import type { Problem, ReplayLine, ReplayProgress } from '../wire';

const NO_ANSWER: Problem = { type: 'about:blank', title: 'The host ended without a report', status: 0, detail: 'The answer held none.', code: 'no-report', errors: [], fix: 'Try again' };

export class Asking<Found> {
  running = $state(false);
  progress = $state.raw<ReplayProgress | null>(null);
  /** The latest that came to its end; it stays while the next is under way. */
  found = $state.raw<Found | null>(null);
  problem = $state.raw<Problem | null>(null);
  cancelled = $state(false);
  /** Milliseconds from the question to the end of the answer. */
  took = $state<number | null>(null);
  #latest = new Latest();
  #path: string;
  #fold: (before: Found | null, line: ReplayLine) => Found | null;

  /** `fold` adds a line to what was found before; what it does not know it passes over. */
  constructor(path: string, fold: (before: Found | null, line: ReplayLine) => Found | null) {
    this.#path = path;
    this.#fold = fold;
  }

  async run(body: object): Promise<void> {
    const turn = this.#latest.begin();
    const began = performance.now();
    this.running = true;
    this.cancelled = false;
    this.progress = null;
    this.problem = null;
    let found: Found | null = null;
    let problem: Problem | null = null;
    const result = await writeForLines<ReplayLine>(
      this.#path,
      body,
      (line) => {
        if (!turn.isLatest()) return;
        if ('progress' in line) this.progress = line.progress;
        else if ('problem' in line) problem = line.problem;
        else found = this.#fold(found, line);
      },
      turn.signal,
    );
    if (!turn.isLatest()) return;
    this.running = false;
    this.progress = null;
    this.problem = result.ok ? (problem ?? (found === null ? NO_ANSWER : null)) : result.problem;
    if (this.problem === null) {
      this.found = found;
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
