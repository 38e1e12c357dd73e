/** The one store: what the feed holds, as runes. Views read it and own nothing. */

import { sessionBaseline, sessionStore, type Baseline } from './diagnostics/baseline';
import { browserDeps } from './feed/browser';
import { SeriesStore, type Series } from './feed/series';
import { Stream, type Status, type View } from './feed/stream';
import { parseRoute, type Route } from './route';
import type { Dashboard } from './wire';

class App {
  state = $state.raw<Dashboard | null>(null);
  status = $state.raw<Status>({ kind: 'connecting', attempt: 1 });
  gap = $state.raw<View['gap']>(null);
  heardAt = $state<number | null>(null);
  /** Version the page was loaded with, and the one that the host has now. */
  versionLoaded = $state<string | null>(null);
  version = $state<string | null>(null);
  /** Where this visit began in the journal. */
  baseline = $state.raw<Baseline | null>(null);
  /** This browser's clock, once a second; also moved by each view, so that no age is negative. */
  browserNow = $state(Date.now());
  route = $state.raw<Route>(parseRoute(location.hash));
  /** Moves when new points have come; the points themselves are asked for by run. */
  #pointsMoved = $state(0);
  /** Moves when points may have been missed and are to be loaded again. */
  pointsMissed = $state(0);
  #series = new SeriesStore();
  #pointsFramed = false;

  /** Now, as far as ages go: not before the host's latest word. */
  now = $derived(Math.max(this.browserNow, this.state?.at ?? 0));

  #stream = new Stream(browserDeps(), {
    view: (view) => this.#show(view),
    samples: (run, points) => this.addPoints(run, points),
    samplesMissed: () => {
      this.pointsMissed += 1;
    },
  });

  start(): void {
    this.#stream.start();
    setInterval(() => {
      if (!document.hidden) this.browserNow = Date.now();
    }, 1_000);
    document.addEventListener('visibilitychange', () => {
      this.browserNow = Date.now();
      this.#stream.visibilityChanged();
    });
    addEventListener('hashchange', () => {
      this.route = parseRoute(location.hash);
    });
  }

  retryNow(): void {
    this.#stream.retryNow();
  }

  series(run: number): Series {
    void this.#pointsMoved;
    return this.#series.of(run);
  }

  addPoints(run: number, points: Parameters<SeriesStore['add']>[1]): void {
    this.#series.add(run, points);
    if (this.#pointsFramed) return;
    this.#pointsFramed = true;
    requestAnimationFrame(() => {
      this.#pointsFramed = false;
      this.#pointsMoved += 1;
    });
  }

  /** Changes the address without a step in the history: for filters typed letter by letter. */
  replaceRoute(address: string): void {
    history.replaceState(null, '', address);
    this.route = parseRoute(location.hash);
  }

  #show(view: View): void {
    if (view.state === null && this.state !== null) this.#series.clear();
    if (view.state !== null) this.baseline ??= sessionBaseline({ seq: view.state.seq, at: view.state.at }, sessionStore());
    this.state = view.state;
    this.status = view.status;
    this.gap = view.gap;
    this.heardAt = view.heardAt;
    this.version = view.version;
    this.versionLoaded ??= view.version;
    this.browserNow = Date.now();
  }
}

export const app = new App();
