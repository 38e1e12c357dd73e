/** One question at a time: a newer one ends the older, and what the older one still answers is not heard. */

export type Turn = { signal: AbortSignal; isLatest(): boolean };

export class Latest {
  #current: AbortController | null = null;

  begin(): Turn {
    this.end();
    const mine = new AbortController();
    this.#current = mine;
    return { signal: mine.signal, isLatest: () => this.#current === mine };
  }

  /** Nobody waits for an answer any more. */
  end(): void {
    this.#current?.abort();
    this.#current = null;
  }
}
