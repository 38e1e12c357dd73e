/** One long question to the host's record under way, and what it answered: progress first, then a report. */

import { writeForLines } from '../api';
import { Latest } from '../latest';
import type { Problem, ReplayLine, ReplayProgress } from '../wire';

export class Asking<Report> {
  running = $state(false);
  progress = $state.raw<ReplayProgress | null>(null);
  /** The latest that came to its end; it stays while the next is under way. */
  report = $state.raw<Report | null>(null);
  problem = $state.raw<Problem | null>(null);
  cancelled = $state(false);
  #latest = new Latest();
  #path: string;
  #reportOf: (line: ReplayLine) => Report | null;

  constructor(path: string, reportOf: (line: ReplayLine) => Report | null) {
    this.#path = path;
    this.#reportOf = reportOf;
  }

  async run(body: object): Promise<void> {
    const turn = this.#latest.begin();
    this.running = true;
    this.cancelled = false;
    this.progress = null;
    this.problem = null;
    let report: Report | null = null;
    let problem: Problem | null = null;
    const result = await writeForLines<ReplayLine>(
      this.#path,
      body,
      (line) => {
        if (!turn.isLatest()) return;
        if ('progress' in line) this.progress = line.progress;
        else if ('problem' in line) problem = line.problem;
        else report = this.#reportOf(line) ?? report;
      },
      turn.signal,
    );
    if (!turn.isLatest()) return;
    this.running = false;
    this.progress = null;
    this.problem = result.ok ? problem : result.problem;
    if (report !== null) this.report = report;
  }

  /** Ends what is under way; the host ends its work when nobody listens. */
  end(): void {
    this.#latest.end();
    this.running = false;
    this.progress = null;
  }

  cancel(): void {
    if (!this.running) return;
    this.end();
    this.cancelled = true;
  }
}
