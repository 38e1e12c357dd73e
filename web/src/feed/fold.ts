/**
 * Feed -> pure fold: what the page holds after one more frame. The page holds no truth of its own; a frame that does not
 * follow on what is held is refused here and asks for a fresh start.
 */

import type { Dashboard, Frame, Point } from '../wire';
import { applyPatch, PatchError } from './patch';

/** The one read model this page shows. */
export const MODEL = 'dashboard';

export type Held = {
  /** Which journal the sequence numbers belong to. None before the first hello. */
  epoch: string | null;
  /** Position of `state`. None while a snapshot is awaited; patches cannot be applied then. */
  seq: number | null;
  version: string | null;
  /** The latest good state. It stays on screen while a snapshot is awaited. */
  state: Dashboard | null;
  /** Positions that the server left out because this viewer was too slow; a snapshot is awaited. */
  gap: { from: number; to: number } | null;
};

export const NOTHING_HELD: Held = { epoch: null, seq: null, version: null, state: null, gap: null };

export type Step =
  | { kind: 'held'; held: Held }
  /** Seen before, or not for us. */
  | { kind: 'ignored' }
  | { kind: 'samples'; run: number; points: Point[] }
  /** Something was lost: connect again, and not from where we were. */
  | { kind: 'lost'; why: string };

export function fold(held: Held, frame: Frame): Step {
  switch (frame.type) {
    case 'hello': {
      if (held.epoch === null || held.epoch === frame.epoch) {
        return { kind: 'held', held: { ...held, epoch: frame.epoch, version: frame.version } };
      }
      return { kind: 'held', held: { ...NOTHING_HELD, epoch: frame.epoch, version: frame.version } };
    }
    case 'snapshot':
      if (frame.model !== MODEL || (held.seq !== null && frame.seq < held.seq)) return { kind: 'ignored' };
      return { kind: 'held', held: { ...held, seq: frame.seq, state: frame.state, gap: null } };
    case 'state.read.model.patch': {
      if (frame.model !== MODEL || held.state === null || held.seq === null) return { kind: 'ignored' };
      // An aside: what is not in the journal, such as the loss of a run under way, changes without a step.
      const aside = frame.from === frame.seq && frame.seq === held.seq;
      if (frame.seq <= held.seq && !aside) return { kind: 'ignored' };
      if (frame.from !== held.seq) return { kind: 'lost', why: `a patch from ${frame.from} does not follow on ${held.seq}` };
      try {
        // The server made the patch from two values of this type.
        const state = applyPatch(held.state, frame.patch) as Dashboard;
        return { kind: 'held', held: { ...held, seq: frame.seq, state } };
      } catch (error) {
        if (error instanceof PatchError) return { kind: 'lost', why: `a patch did not apply: ${error.message}` };
        throw error;
      }
    }
    case 'samples':
      return { kind: 'samples', run: frame.run, points: frame.points };
    case 'gap':
      return { kind: 'held', held: { ...held, seq: null, gap: { from: frame.from, to: frame.to } } };
    default:
      // A later server may send more kinds of frames than this page knows.
      return { kind: 'ignored' };
  }
}
