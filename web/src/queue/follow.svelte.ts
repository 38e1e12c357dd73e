/** What the host says of one thing, asked for again while one looks at it: soon after each step of the journal, and now and then without. */

import { untrack } from 'svelte';
import { read } from '../api';
import { app } from '../app.svelte';
import type { Problem } from '../wire';

/** At most so often, however fast the journal grows. */
const AT_MOST_EVERY_MS = 1_500;
/** Waits, ages and pauses move on without an entry. */
const AT_LEAST_EVERY_MS = 10_000;

export class Followed<T> {
  /** None until the first answer; then the latest, also while it is asked for again or cannot be had. */
  value = $state.raw<T | null>(null);
  problem = $state.raw<Problem | null>(null);
  loading = $state(true);
  #path = '';
  #turn = 0;
  #askedAt = -Infinity;
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** Another thing: what is known of the one before says nothing of it. */
  begin(path: string, keep: boolean): void {
    this.#path = path;
    if (!keep) this.value = null;
    this.problem = null;
    void this.ask();
  }

  ask = async (): Promise<void> => {
    this.#clear();
    const mine = ++this.#turn;
    this.#askedAt = Date.now();
    this.loading = true;
    const result = await read<T>(this.#path);
    if (mine !== this.#turn) return;
    this.loading = false;
    this.problem = result.ok ? null : result.problem;
    if (result.ok) this.value = result.value;
  };

  /** As soon as it is time again. */
  later(): void {
    if (this.#timer !== null) return;
    const wait = Math.max(0, this.#askedAt + AT_MOST_EVERY_MS - Date.now());
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (!document.hidden) void this.ask();
    }, wait);
  }

  end(): void {
    this.#turn += 1;
    this.#clear();
  }

  #clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

/** `held` says that what is shown is to stay as it is; `keep` that another path is another view of the same thing. */
export type Manner = { held?: () => boolean; keep?: boolean };

/** For the top of a component. Nothing is asked while there is no path. */
export function follow<T>(path: () => string | null, { held = () => false, keep = false }: Manner = {}): Followed<T> {
  const followed = new Followed<T>();
  const asked = $derived(path());
  const beat = $derived(Math.floor(app.browserNow / AT_LEAST_EVERY_MS));
  const seq = $derived(app.state?.seq ?? null);
  $effect(() => {
    const to = asked;
    if (to === null) return;
    untrack(() => followed.begin(to, keep));
    return () => followed.end();
  });
  $effect(() => {
    void [seq, beat];
    if (asked !== null && !held()) followed.later();
  });
  return followed;
}
