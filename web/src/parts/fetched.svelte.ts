/** Something of the host that is asked for again while it is looked at. The last good answer stays when the next one fails. */

import { read, type Result } from '../api';
import { Latest } from '../latest';
import type { Problem } from '../wire';

/** Shorter than the views may be shown for, so that none goes stale while the host answers. */
const AGAIN_MS = 4_000;

export class Fetched<T> {
  value = $state.raw<T | null>(null);
  /** Why the latest answer is none; the value before it is still there. */
  problem = $state.raw<Problem | null>(null);
  receivedAt = $state<number | null>(null);
  asking = $state(false);
  #latest = new Latest();
  #path = '';
  readonly #ask: (path: string) => Promise<Result<T>>;

  constructor(ask: (path: string) => Promise<Result<T>> = (path) => read<T>(path)) {
    this.#ask = ask;
  }

  /** Asks now and again and again, until what it answers is called. */
  follow(path: string, againMs = AGAIN_MS): () => void {
    if (path !== this.#path) this.#forget();
    this.#path = path;
    void this.reload();
    const timer = setInterval(() => {
      if (!document.hidden && !this.asking) void this.reload();
    }, againMs);
    return () => {
      clearInterval(timer);
      this.#latest.end();
      this.asking = false;
    };
  }

  async reload(): Promise<void> {
    const turn = this.#latest.begin();
    this.asking = true;
    const result = await this.#ask(this.#path);
    if (!turn.isLatest()) return;
    this.asking = false;
    if (result.ok) {
      this.value = result.value;
      this.receivedAt = Date.now();
      this.problem = null;
    } else this.problem = result.problem;
  }

  #forget(): void {
    this.value = null;
    this.problem = null;
    this.receivedAt = null;
  }
}
