/** Asks the host whether a text would be taken, a moment after the last letter. A newer text ends the older question. */

import { write } from '../../api';
import { Latest } from '../../latest';
import type { PolicyCheck, Problem } from '../../wire';
import type { Upload } from '../upload';

/** Long enough to type on, short enough that the answer is there when one looks up. */
const PAUSE_MS = 350;

export class Checker {
  /** What the host said last, perhaps of an older text. */
  said = $state.raw<PolicyCheck | null>(null);
  /** What that was said of, as JSON; empty while it is being asked anew. */
  #about = $state('');
  /** The host could not be asked. */
  trouble = $state.raw<Problem | null>(null);
  #latest = new Latest();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #waiting: Upload | null = null;

  constructor(readonly pause = PAUSE_MS) {}

  /** What the host said of exactly this, given as JSON; none while that is not known. */
  of(upload: string): PolicyCheck | null {
    return upload === this.#about ? this.said : null;
  }

  soon(upload: Upload): void {
    this.end();
    this.#about = '';
    this.#waiting = upload;
    this.#timer = setTimeout(() => void this.now(), this.pause);
  }

  /** At once what would be asked soon. */
  async now(): Promise<void> {
    const upload = this.#waiting;
    if (upload === null) return;
    this.#waiting = null;
    clearTimeout(this.#timer);
    const turn = this.#latest.begin();
    const result = await write<PolicyCheck>('/api/v1/policies/check', upload, turn.signal);
    if (!turn.isLatest()) return;
    this.trouble = result.ok ? null : result.problem;
    this.#about = result.ok ? JSON.stringify(upload) : '';
    this.said = result.ok ? result.value : null;
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#waiting = null;
    this.#latest.end();
  }
}
