/** Where this visit began: improvement is told from there on, unless the address names another position. */

export type Baseline = { seq: number; at: number };

const KEY = 'pointsman.baseline';

/** Of this tab: a reload goes on with the same one. A journal that is shorter is another one, and begins with its own. */
export function sessionBaseline(now: Baseline, storage: Pick<Storage, 'getItem' | 'setItem'> | null): Baseline {
  const before = parsed(storage?.getItem(KEY) ?? null);
  if (before !== null && before.seq <= now.seq) return before;
  storage?.setItem(KEY, JSON.stringify(now));
  return now;
}

function parsed(text: string | null): Baseline | null {
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && 'seq' in value && 'at' in value) {
      const { seq, at } = value;
      if (typeof seq === 'number' && typeof at === 'number') return { seq, at };
    }
  } catch {
    // Not ours.
  }
  return null;
}

/** The tab's own store, if the browser gives it. */
export function sessionStore(): Storage | null {
  try {
    return sessionStorage;
  } catch {
    return null;
  }
}
