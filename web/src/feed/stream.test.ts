import { expect, test } from 'vitest';
import type { Dashboard, Frame, Point } from '../wire';
import { dashboardAt } from '../testing/factories';
import { Stream, type Deps, type Socket, type View } from './stream';

/** A world with a clock that only the test moves, and sockets that say what the test lets them say. */
class World implements Deps {
  time = 0;
  looking = true;
  /** Queries of all connections made, in order. */
  queries: string[] = [];
  sockets: (Socket & { closed: boolean })[] = [];
  /** What asking for the state answers; an error where it is none. */
  state: { state: Dashboard; epoch: string | null } | null = null;
  polls = 0;
  views: View[] = [];
  samples: [number, Point[]][] = [];
  missed = 0;
  #timers: { at: number; run: () => void }[] = [];
  #frames: (() => void)[] = [];

  stream = new Stream(this, {
    view: (view) => this.views.push(view),
    samples: (run, points) => this.samples.push([run, points]),
    samplesMissed: () => {
      this.missed += 1;
    },
  });

  connect(query: string): Socket {
    this.queries.push(query);
    const socket = {
      onmessage: null,
      onclose: null,
      closed: false,
      close() {
        this.closed = true;
      },
    };
    this.sockets.push(socket);
    return socket;
  }

  async fetchState() {
    this.polls += 1;
    if (this.state === null) throw new Error('nothing there');
    return this.state;
  }

  now = () => this.time;
  random = () => 0.5;
  hidden = () => !this.looking;

  schedule(ms: number, run: () => void): () => void {
    const timer = { at: this.time + ms, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  animationFrame(run: () => void): void {
    this.#frames.push(run);
  }

  /** Lets time pass, timer by timer, and promises settle. */
  async pass(ms: number) {
    const until = this.time + ms;
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.time = next.at;
      next.run();
      await settled();
    }
    this.time = until;
    await settled();
  }

  paint() {
    const frames = this.#frames;
    this.#frames = [];
    for (const run of frames) run();
  }

  say(...frames: (Frame | string)[]) {
    const socket = this.sockets.at(-1)!;
    for (const frame of frames) socket.onmessage?.({ data: typeof frame === 'string' ? frame : JSON.stringify(frame) });
  }

  hangUp() {
    this.sockets.at(-1)!.onclose?.({ code: 1006, reason: '' });
  }

  get view(): View {
    this.paint();
    return this.views.at(-1)!;
  }

  get total(): number | undefined {
    return this.view.state?.totals.outcomes;
  }
}

async function settled() {
  for (let n = 0; n < 10; n++) await Promise.resolve();
}

const hello = (epoch = 'e1', seq = 0): Frame => ({ type: 'hello', epoch, version: '0.1.0', seq });
const snapshot = (seq: number, outcomes = seq): Frame => ({ type: 'snapshot', model: 'dashboard', seq, state: dashboardAt(seq, { totals: { ...dashboardAt(0).totals, outcomes } }) });
/** Sets the outcomes to its own position, so that the total tells which patches have been applied. */
const patch = (from: number, seq: number, outcomes = seq): Frame => ({
  type: 'state.read.model.patch',
  model: 'dashboard',
  from,
  seq,
  patch: [{ op: 'replace', path: '/totals/outcomes', value: outcomes }],
});

function live(seq = 5): World {
  const world = new World();
  world.stream.start();
  world.say(hello('e1', seq), snapshot(seq));
  return world;
}

test('starts with a snapshot and follows patches in order', () => {
  const world = live(5);
  expect(world.queries).toEqual(['']);
  world.say(patch(5, 6), patch(6, 9));
  expect(world.total).toBe(9);
  expect(world.view.status).toEqual({ kind: 'live' });
});

test('many frames are one view', () => {
  const world = live(5);
  world.paint();
  const before = world.views.length;
  for (let seq = 5; seq < 500; seq++) world.say(patch(seq, seq + 1));
  world.paint();
  expect(world.views.length).toBe(before + 1);
  expect(world.total).toBe(500);
});

test('a doubled patch, and one from before the snapshot, change nothing', () => {
  const world = live(5);
  world.say(patch(5, 6), patch(5, 6, 99), patch(3, 4, 99), patch(6, 7));
  expect(world.total).toBe(7);
  expect(world.sockets).toHaveLength(1);
});

test('an aside changes the state without a step', () => {
  const world = live(5);
  world.say(patch(5, 5, 77));
  expect(world.total).toBe(77);
  world.say(patch(5, 6));
  expect(world.total).toBe(6);
});

test('a lost patch: starts again from a snapshot, with the old state on screen until then', async () => {
  const world = live(5);
  world.say(patch(6, 7));
  expect(world.sockets[0]!.closed).toBe(true);
  expect(world.total).toBe(5);
  expect(world.view.status).toMatchObject({ kind: 'waiting', attempt: 2 });
  await world.pass(1_000);
  expect(world.queries).toEqual(['', '']);
  world.say(hello('e1', 7), snapshot(7));
  expect(world.total).toBe(7);
});

test('reordered patches are found by the gap that they leave', async () => {
  const world = live(5);
  world.say(patch(6, 7), patch(5, 6));
  expect(world.total).toBe(5);
  await world.pass(1_000);
  expect(world.queries.at(-1)).toBe('');
});

test('a patch that reaches into what is held is a gap, too', () => {
  const world = live(5);
  world.say(patch(4, 6));
  expect(world.sockets[0]!.closed).toBe(true);
});

test('a patch that does not fit starts again', () => {
  const world = live(5);
  world.say({ type: 'state.read.model.patch', model: 'dashboard', from: 5, seq: 6, patch: [{ op: 'remove', path: '/no/such' }] });
  expect(world.sockets[0]!.closed).toBe(true);
  expect(world.total).toBe(5);
});

test('an unreadable frame starts again; an unknown one is passed over', () => {
  const world = live(5);
  world.say('{"type":"weather","sky":"blue"}', patch(5, 6));
  expect(world.total).toBe(6);
  world.say('{"type":');
  expect(world.sockets[0]!.closed).toBe(true);
});

test('after a cut it resumes where it was, and asks for samples it may have missed', async () => {
  const world = live(5);
  world.say(patch(5, 8));
  expect(world.missed).toBe(1);
  world.hangUp();
  await world.pass(600);
  expect(world.queries.at(-1)).toBe('?since=8&epoch=e1');
  world.say(hello('e1', 9), patch(8, 9));
  expect(world.total).toBe(9);
  expect(world.missed).toBe(2);
});

test('another epoch drops what is held', async () => {
  const world = live(5);
  world.hangUp();
  await world.pass(600);
  world.say(hello('e2', 2));
  expect(world.view.state).toBeNull();
  world.say(patch(5, 6), snapshot(2));
  expect(world.total).toBe(2);
});

test('a gap is told, and patches wait for the snapshot', () => {
  const world = live(5);
  world.say({ type: 'gap', from: 6, to: 40 }, patch(5, 6));
  expect(world.view.gap).toEqual({ from: 6, to: 40 });
  expect(world.total).toBe(5);
  world.say(snapshot(40), patch(40, 41));
  expect(world.view.gap).toBeNull();
  expect(world.total).toBe(41);
});

test('what an old socket still says is not heard', async () => {
  const world = live(5);
  const old = world.sockets[0]!;
  const speak = old.onmessage!;
  world.hangUp();
  await world.pass(600);
  speak({ data: JSON.stringify(patch(5, 6)) });
  expect(world.total).toBe(5);
});

test('pauses grow, are spread, and start again after a steady connection', async () => {
  const world = live(5);
  const pauses: number[] = [];
  for (let n = 0; n < 8; n++) {
    world.hangUp();
    const { status } = world.view;
    if (status.kind !== 'waiting' && status.kind !== 'polling') throw new Error(status.kind);
    expect(status.attempt).toBe(n + 2);
    pauses.push(status.retryAt - world.time);
    await world.pass(status.retryAt - world.time);
  }
  expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  world.say(hello(), snapshot(6));
  await world.pass(10_000);
  world.hangUp();
  expect(world.view.status).toMatchObject({ kind: 'waiting', attempt: 2 });
});

test('polls when the socket fails again and again, and goes back to it', async () => {
  const world = live(5);
  world.state = { state: dashboardAt(8, { totals: { ...dashboardAt(0).totals, outcomes: 8 } }), epoch: 'e1' };
  for (let n = 0; n < 3; n++) {
    world.hangUp();
    await world.pass(n < 2 ? 2_000 : 0);
  }
  expect(world.view.status.kind).toBe('polling');
  expect(world.total).toBe(8);
  await world.pass(2_000);
  expect(world.queries.at(-1)).toBe('?since=8&epoch=e1');
  world.say(hello('e1', 9), patch(8, 9));
  expect(world.view.status).toEqual({ kind: 'live' });
  expect(world.total).toBe(9);
  const polls = world.polls;
  world.say(patch(9, 10));
  await world.pass(20_000);
  expect(world.polls).toBe(polls);
});

test('says that it is cut off when neither way works', async () => {
  const world = live(5);
  for (let n = 0; n < 4; n++) {
    world.hangUp();
    await world.pass(4_000);
  }
  expect(world.polls).toBeGreaterThan(0);
  world.hangUp();
  expect(world.view.status.kind).toBe('waiting');
  expect(world.total).toBe(5);
});

test('a silent connection is asked about: a quiet host stays, a dead path is left', async () => {
  const world = live(5);
  world.state = { state: dashboardAt(5), epoch: 'e1' };
  await world.pass(31_000);
  expect(world.polls).toBe(1);
  expect(world.sockets[0]!.closed).toBe(false);
  world.state = { state: dashboardAt(9), epoch: 'e1' };
  await world.pass(31_000);
  expect(world.sockets[0]!.closed).toBe(true);
});

test('rests while hidden, after a grace, and resumes when looked at', async () => {
  const world = live(5);
  world.looking = false;
  world.stream.visibilityChanged();
  await world.pass(10_000);
  world.say(patch(5, 6));
  expect(world.sockets[0]!.closed).toBe(false);
  await world.pass(6_000);
  expect(world.sockets[0]!.closed).toBe(true);
  expect(world.view.status).toEqual({ kind: 'paused' });
  await world.pass(600_000);
  expect(world.sockets).toHaveLength(1);
  world.looking = true;
  world.stream.visibilityChanged();
  expect(world.queries.at(-1)).toBe('?since=6&epoch=e1');
});

test('samples pass by the sequence', () => {
  const world = live(5);
  world.say({ type: 'samples', run: 3, points: [[10, 5.1, null]] });
  expect(world.samples).toEqual([[3, [[10, 5.1, null]]]]);
  expect(world.total).toBe(5);
});

test('whatever is lost, doubled or swapped on the way, the screen ends as the host', async () => {
  for (let seed = 1; seed <= 200; seed++) {
    const chance = dice(seed);
    const world = live(0);
    let seq = 0;
    // The host goes on to position 60; each patch may be lost, doubled or delayed, and the connection may be cut.
    let delayed: Frame | null = null;
    while (seq < 60 || world.total !== 60) {
      const status = world.view.status;
      if (status.kind !== 'live') {
        await world.pass(31_000);
        const since = /since=([0-9]+)/.exec(world.queries.at(-1)!)?.[1];
        world.say(hello('e1', seq));
        if (since === undefined) world.say(snapshot(seq));
        else for (let at = Number(since); at < seq; at++) world.say(patch(at, at + 1));
        delayed = null;
        continue;
      }
      // At the end nothing may be lost any more, or the host would be silent about it for good.
      const roll = seq < 60 ? chance() : 1;
      if (seq < 60) seq += 1;
      const next = patch(seq - 1, seq);
      if (roll < 0.08) continue;
      if (roll < 0.16 && delayed === null) delayed = next;
      else world.say(next);
      if (roll > 0.9 && roll < 0.98) world.say(next);
      if (roll > 0.5 && roll < 0.6 && delayed !== null) world.say(delayed);
      if (roll > 0.86 && roll < 0.9) world.hangUp();
      // The last patch is told again and again: it shows any gap before it.
      if (seq === 60 && world.total !== 60) world.say(patch(59, 60));
    }
    expect(world.total, `seed ${seed}`).toBe(60);
    world.stream.stop();
  }
});

function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}
