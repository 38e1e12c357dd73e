/**
 * The live feed, free of any framework: one WebSocket that resumes where it was, reconnects with growing pauses, falls
 * back to asking for the state when it fails again and again, and rests while nobody looks. Frames are folded as they
 * come; the view is told at most once per animation frame.
 *
 * What is deliberately absent: a queue. Nothing piles up here, whatever the server sends.
 */

import type { Dashboard, Frame, Point } from '../wire';
import { fold, NOTHING_HELD, type Held } from './fold';

export type Status =
  | { kind: 'connecting'; attempt: number }
  | { kind: 'live' }
  /** The next try, which is try number `attempt`, is made at `retryAt`. */
  | { kind: 'waiting'; attempt: number; retryAt: number; why: string }
  /** No WebSocket to be had: the state is asked for every few seconds instead. */
  | { kind: 'polling'; attempt: number; retryAt: number; why: string }
  /** The page is hidden. */
  | { kind: 'paused' };

export type View = {
  state: Dashboard | null;
  version: string | null;
  gap: Held['gap'];
  status: Status;
  /** When the host was last heard of, on this browser's clock. */
  heardAt: number | null;
};

/** The part of a WebSocket that is used. */
export type Socket = {
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  close(): void;
};

/** The outside world; a test scripts it. Each `schedule` answers a function that calls it off. */
export type Deps = {
  connect(query: string): Socket;
  /** The state, and the epoch that its position belongs to where the host names it. */
  fetchState(): Promise<{ state: Dashboard; epoch: string | null }>;
  now(): number;
  random(): number;
  schedule(ms: number, run: () => void): () => void;
  animationFrame(run: () => void): void;
  hidden(): boolean;
};

export type Listener = {
  view(view: View): void;
  samples(run: number, points: Point[]): void;
  /** Samples are not part of the sequence: what was missed has to be asked for. */
  samplesMissed(): void;
};

const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 30_000;
/** A connection that lived so long was a good one: the count of tries starts again. */
const STEADY_MS = 10_000;
/** So many failed tries in a row, and the state is polled. */
const TRIES_BEFORE_POLLING = 3;
const POLL_MS = 3_000;
/** A hidden page keeps its connection so long, for quick looks elsewhere. */
const HIDDEN_GRACE_MS = 15_000;
/** After so long a silence the host is asked whether it is still there: a dead network path says nothing. */
const QUIET_MS = 30_000;

export class Stream {
  #deps: Deps;
  #listener: Listener;
  #held: Held = NOTHING_HELD;
  #status: Status = { kind: 'connecting', attempt: 1 };
  #socket: Socket | null = null;
  #heardAt: number | null = null;
  /** Failed tries since the last steady connection. */
  #failures = 0;
  #dirty = false;
  #stopped = false;
  #cancelRetry = () => {};
  #cancelPoll = () => {};
  #cancelSteady = () => {};
  #cancelQuiet = () => {};
  #cancelHide = () => {};

  constructor(deps: Deps, listener: Listener) {
    this.#deps = deps;
    this.#listener = listener;
  }

  start(): void {
    this.#connect();
  }

  stop(): void {
    this.#stopped = true;
    this.#drop();
    this.#cancelRetry();
    this.#cancelPoll();
    this.#cancelHide();
  }

  /** Try at once; what the "retry now" button does. */
  retryNow(): void {
    if (this.#status.kind === 'waiting' || this.#status.kind === 'polling') this.#connect();
  }

  visibilityChanged(): void {
    this.#cancelHide();
    if (this.#deps.hidden()) {
      this.#cancelHide = this.#deps.schedule(HIDDEN_GRACE_MS, () => this.#pause());
    } else if (this.#status.kind === 'paused') {
      this.#connect();
    } else {
      this.#changed();
    }
  }

  #pause(): void {
    this.#drop();
    this.#cancelRetry();
    this.#cancelPoll();
    this.#setStatus({ kind: 'paused' });
  }

  #connect(): void {
    this.#drop();
    this.#cancelRetry();
    const { epoch, seq } = this.#held;
    const query = epoch !== null && seq !== null ? `?since=${seq}&epoch=${encodeURIComponent(epoch)}` : '';
    if (this.#status.kind !== 'polling') this.#setStatus({ kind: 'connecting', attempt: this.#failures + 1 });
    let socket: Socket;
    try {
      socket = this.#deps.connect(query);
    } catch (error) {
      this.#failed(error instanceof Error ? error.message : String(error));
      return;
    }
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      if (socket === this.#socket) this.#receive(data);
    };
    socket.onclose = ({ code, reason }) => {
      if (socket === this.#socket) this.#failed(reason || `connection closed (${code})`);
    };
  }

  #receive(data: unknown): void {
    const frame = parse(data);
    if (frame === null) {
      this.#lost('a frame was not readable');
      return;
    }
    this.#heard();
    const step = fold(this.#held, frame);
    switch (step.kind) {
      case 'held':
        this.#held = step.held;
        this.#changed();
        break;
      case 'samples':
        this.#listener.samples(step.run, step.points);
        break;
      case 'ignored':
        break;
      case 'lost':
        this.#lost(step.why);
        return;
    }
    if (frame.type === 'hello') this.#greeted();
  }

  #greeted(): void {
    this.#cancelPoll();
    this.#setStatus({ kind: 'live' });
    this.#cancelSteady();
    this.#cancelSteady = this.#deps.schedule(STEADY_MS, () => {
      this.#failures = 0;
    });
    this.#listener.samplesMissed();
  }

  /** What is held cannot be led on: the next connection starts from a snapshot. The old state stays on screen until then. */
  #lost(why: string): void {
    this.#held = { ...this.#held, seq: null };
    this.#failed(why);
  }

  #failed(why: string): void {
    this.#drop();
    if (this.#stopped) return;
    this.#failures += 1;
    const pause = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** (this.#failures - 1));
    // Spread, so that many pages do not all knock at once when a host comes back.
    const delay = Math.round(pause * (0.8 + 0.4 * this.#deps.random()));
    const next = { attempt: this.#failures + 1, retryAt: this.#deps.now() + delay, why };
    this.#cancelRetry();
    this.#cancelRetry = this.#deps.schedule(delay, () => this.#connect());
    if (this.#status.kind === 'polling') {
      this.#setStatus({ kind: 'polling', ...next });
    } else {
      this.#setStatus({ kind: 'waiting', ...next });
      if (this.#failures >= TRIES_BEFORE_POLLING) this.#poll();
    }
  }

  async #poll(): Promise<void> {
    this.#cancelPoll();
    let calledOff = false;
    this.#cancelPoll = () => {
      calledOff = true;
    };
    try {
      const { state, epoch } = await this.#deps.fetchState();
      if (calledOff || this.#stopped) return;
      this.#heard();
      // Without an epoch nothing can be resumed from the answer.
      this.#held = { epoch: epoch ?? this.#held.epoch, seq: epoch === null ? null : state.seq, state, version: state.version, gap: null };
      if (this.#status.kind === 'waiting') this.#setStatus({ ...this.#status, kind: 'polling' });
      this.#listener.samplesMissed();
    } catch {
      if (calledOff || this.#stopped) return;
      // Neither way works: say so, and go on trying both.
      if (this.#status.kind === 'polling') this.#setStatus({ ...this.#status, kind: 'waiting' });
    }
    this.#changed();
    this.#cancelPoll = this.#deps.schedule(POLL_MS, () => void this.#poll());
  }

  #heard(): void {
    this.#heardAt = this.#deps.now();
    this.#cancelQuiet();
    this.#cancelQuiet = this.#deps.schedule(QUIET_MS, () => void this.#probe());
  }

  /** A silent connection is a quiet host or a dead path; asking tells which. */
  async #probe(): Promise<void> {
    const socket = this.#socket;
    if (socket === null) return;
    const before = this.#held.seq;
    try {
      const { state } = await this.#deps.fetchState();
      if (socket !== this.#socket) return;
      const toldNothing = this.#held.seq === before;
      if (toldNothing && (before === null || state.seq > before)) this.#lost('the connection had gone silent');
      else {
        this.#heard();
        this.#changed();
      }
    } catch {
      if (socket === this.#socket) this.#failed('the host does not answer');
    }
  }

  /** Lets go of the socket without listening to its last words. */
  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#cancelSteady();
    this.#cancelQuiet();
    if (socket !== null) {
      socket.onmessage = null;
      socket.onclose = null;
      socket.close();
    }
  }

  #setStatus(status: Status): void {
    this.#status = status;
    this.#changed();
  }

  #changed(): void {
    if (this.#dirty) return;
    this.#dirty = true;
    this.#deps.animationFrame(() => {
      this.#dirty = false;
      if (this.#stopped) return;
      const { state, version, gap } = this.#held;
      this.#listener.view({ state, version, gap, status: this.#status, heardAt: this.#heardAt });
    });
  }
}

function parse(data: unknown): Frame | null {
  if (typeof data !== 'string') return null;
  try {
    const value: unknown = JSON.parse(data);
    // Each frame is told apart by its type; the fold ignores types it does not know.
    return typeof value === 'object' && value !== null && 'type' in value ? (value as Frame) : null;
  } catch {
    return null;
  }
}
