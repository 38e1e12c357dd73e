/** The connection in words. */

import type { Status } from '../feed/stream';
import { ago, ordinal } from '../format';
import type { Glyph, Tone } from '../words';

export type ConnectionWords = { text: string; title: string; tone: Tone; glyph: Glyph; retry: boolean };

export function connectionWords(status: Status, now: number): ConnectionWords {
  switch (status.kind) {
    case 'live':
      return { text: 'Live', title: 'Every change arrives as it happens', tone: 'good', glyph: 'check', retry: false };
    case 'connecting': {
      const again = status.attempt > 1;
      return {
        text: again ? `Reconnecting (${ordinal(status.attempt)} try)` : 'Connecting',
        title: 'Opening the live feed',
        tone: again ? 'warn' : 'info',
        glyph: 'ring',
        retry: false,
      };
    }
    case 'waiting':
      return {
        text: `Reconnecting (${ordinal(status.attempt)} try, ${seconds(status.retryAt, now)} s)`,
        title: status.why,
        tone: 'warn',
        glyph: 'wait',
        retry: status.attempt > 2,
      };
    case 'polling':
      return {
        text: 'Asking every 3 s',
        title: `No live feed: ${status.why}. ${ordinal(status.attempt)} try in ${seconds(status.retryAt, now)} s`,
        tone: 'warn',
        glyph: 'wait',
        retry: true,
      };
    case 'paused':
      return { text: 'Paused', title: 'The page was hidden', tone: 'quiet', glyph: 'pause', retry: false };
  }
}

function seconds(at: number, now: number): number {
  return Math.max(0, Math.ceil((at - now) / 1000));
}

/** How old the data is, said only where it may be old. */
export function dataAge(status: Status, heardAt: number | null, now: number): string | null {
  if (status.kind === 'live' || heardAt === null) return null;
  return `data from ${ago(heardAt, now)}`;
}

/** Data older than this, without a feed, is greyed out. */
export const STALE_MS = 10_000;

export function stale(status: Status, heardAt: number | null, now: number): boolean {
  return status.kind !== 'live' && heardAt !== null && now - heardAt > STALE_MS;
}
