/** How old what is shown is, and whether it may still be shown as it is. */

import { duration } from '../format';
import type { Glyph, Tone } from '../words';
import type { ViewStamp } from '../wire';

export type Freshness = { slug: 'none' | 'live' | 'fresh' | 'stale'; text: string; title: string; tone: Tone; glyph: Glyph };

const NONE: Freshness = { slug: 'none', text: 'no snapshot', title: 'Nothing has been received yet', tone: 'quiet', glyph: 'wait' };

/** For what was asked for: its age runs from the answer, so that the clocks of two machines need not agree. */
export function freshness(view: ViewStamp | null, receivedAt: number | null, now: number): Freshness {
  if (view === null || receivedAt === null) return NONE;
  const age = view.age_ms + Math.max(0, now - receivedAt);
  const isOld = age > view.ttl_ms;
  return {
    slug: isOld ? 'stale' : 'fresh',
    text: `${duration(age)} / ${duration(view.ttl_ms)} ttl`,
    title: `${isOld ? 'Older than it may be shown. ' : ''}View ${view.fingerprint} of journal position ${view.seq}, made at ${new Date(view.generated_at).toISOString()}`,
    tone: isOld ? 'bad' : 'quiet',
    glyph: isOld ? 'warn' : 'check',
  };
}

/** For what is streamed: while the stream is there, what was sent last is what is. */
export function streamedFreshness(view: ViewStamp | null, live: boolean, heardAt: number | null, now: number): Freshness {
  if (view !== null && live) return { slug: 'live', text: 'live', title: `View ${view.fingerprint} of journal position ${view.seq}; every change arrives as it happens`, tone: 'good', glyph: 'check' };
  return freshness(view, heardAt, now);
}
