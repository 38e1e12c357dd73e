/** A verification of many decisions under way, and what it found. */

import { writeForLines } from '../api';
import { Latest } from '../latest';
import type { Problem, ReplayLine, ReplayProgress, VerificationReport } from '../wire';

export class Verifier {
  running = $state(false);
  progress = $state.raw<ReplayProgress | null>(null);
  report = $state.raw<VerificationReport | null>(null);
  problem = $state.raw<Problem | null>(null);
  cancelled = $state(false);
  #latest = new Latest();

  async run(kind: string, last: number): Promise<void> {
    const turn = this.#latest.begin();
    this.running = true;
    this.cancelled = false;
    this.progress = null;
    this.problem = null;
    let report: VerificationReport | null = null;
    let problem: Problem | null = null;
    const result = await writeForLines<ReplayLine>(
      '/api/v1/decisions/verify',
      { kind, last },
      (line) => {
        if (!turn.isLatest()) return;
        if ('progress' in line) this.progress = line.progress;
        else if ('verification' in line) report = line.verification;
        else if ('problem' in line) problem = line.problem;
      },
      turn.signal,
    );
    if (!turn.isLatest()) return;
    this.running = false;
    this.progress = null;
    this.problem = result.ok ? problem : result.problem;
    if (report !== null) this.report = report;
  }

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
