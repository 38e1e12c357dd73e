/** The made-up host's relay, learning memory and sinks. */

const LAG_MAX = 20;
const HALF_HOUR_MS = 30 * 60_000;
const BUDGETS = [['same_host', 'Successes of the same host', 4000], ['similar', 'Successes about the like', 4000], ['failures', 'Failures of this source', 1500]];

export class Learning {
  constructor(story, scene) {
    this.story = story;
    this.hasSinks = scene === 'busy';
    /** Outcomes that are committed and not ingested, as a test wants it. */
    this.lag = 0;
    this.rebuilt = null;
  }

  outcomes() {
    return this.story.jobs.filter((job) => job.class === 'training' && (job.status_slug === 'completed' || job.status_slug === 'failed'));
  }

  /** Newest first. */
  records() {
    return this.outcomes().slice(this.lag).map((job) => ({
      run: job.id,
      source: job.source,
      title: job.name,
      host: job.host,
      success: job.status_slug === 'completed',
      summary: job.status_slug === 'completed' ? `made ${job.model} in ${job.steps} steps: 4.100 to ${job.loss.toFixed(3)} bits per byte` : `${job.failure_class}: ${job.error}`,
      text: job.status_slug === 'completed' ? `${job.name}. The whale was seen from the ${job.host} shore at dawn, and what was written of it was read again in the évening by those who had stayed.` : '',
      at: job.finished_at,
    }));
  }

  status() {
    const records = this.records();
    const successes = records.filter(({ success }) => success).length;
    const recent = records.filter(({ at }) => this.story.at - at < HALF_HOUR_MS).length;
    const [state, label] = this.lag > 0 ? ['catching_up', 'Catching up'] : ['ready', 'All is ingested'];
    return { state, state_label: label, problem: null, rebuilt_because: this.rebuilt, cursor: this.story.seq - 3 * this.lag, outcomes: records.length, successes, failures: records.length - successes, backlog: this.lag, ingested_30m: recent, latest_run: records[0]?.run ?? null, latest_at: records[0]?.at ?? null, bytes: 40_960 + 900 * records.length };
  }

  search(params) {
    const question = params.get('q');
    const words = (text) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase().split(/[^\p{L}\p{N}]+/u).filter((word) => word !== '');
    const wanted = question === null ? [] : words(question);
    if (question !== null && wanted.length === 0) return refused(422, 'bad_question', 'there is no word in it');
    const found = this.records().filter((record) => {
      const held = new Set(words(`${record.title} ${record.summary} ${record.text}`));
      return wanted.every((word) => held.has(word));
    });
    return answer({ view: this.story.control.view('memory'), status: this.status(), records: found.slice(0, Number(params.get('limit') ?? 100)) });
  }

  relay() {
    const { story } = this;
    const { capacity, window, queue } = story.dashboard();
    const memory = this.status();
    const ended = this.outcomes();
    const success = ended.find((job) => job.status_slug === 'completed');
    const running = story.jobs.find((job) => job.class === 'training');
    const pending = queue.queue.pending + queue.curriculum.pending;
    const enabled = story.training.enabled;
    const recent = ended.filter(({ finished_at: at }) => story.at - at < HALF_HOUR_MS).length;
    const over = this.lag > LAG_MAX;
    const step = (slug, label, state, state_label, rest) => ({ slug, label, state, state_label, lag_max: null, ...rest });
    const steps = [
      step('intake', 'Queue Intake', enabled ? 'active' : 'stopped', enabled ? 'Active' : 'Stopped', { count_30m: recent, counted: 'sources done or given up', backlog: pending, lag: 0, lag_max: 600_000, lag_unit: 'ms', latest_id: running ? String(running.source) : null, latest_at: running?.created_at ?? null, detail: `${pending} pending, ${recent} consumed in 30 minutes` }),
      step('execution', 'Training Execution', capacity.training > 0 ? 'active' : 'idle', capacity.training > 0 ? 'Running' : 'Idle', { count_30m: recent, counted: 'outcomes of training runs', backlog: 0, lag: 0, lag_max: 60_000, lag_unit: 'ms', latest_id: ended[0] ? String(ended[0].id) : null, latest_at: ended[0]?.finished_at ?? null, detail: `${capacity.training} of ${capacity.ceiling.effective} running` }),
      step('ingest', 'Learning Ingest', over ? 'degraded' : memory.outcomes > 0 ? 'active' : 'idle', over ? 'Degraded' : memory.outcomes > 0 ? 'Active' : 'Idle', { count_30m: memory.ingested_30m, counted: 'outcomes ingested', backlog: this.lag, lag: this.lag, lag_max: LAG_MAX, lag_unit: 'outcomes', latest_id: memory.latest_run === null ? null : String(memory.latest_run), latest_at: memory.latest_at, detail: `${memory.outcomes} outcomes remembered, ${this.lag} to come` }),
      step('reuse', 'Standard Task Reuse', story.active ? 'active' : 'waiting', story.active ? 'Active' : 'Waiting for a model', { count_30m: story.answered, counted: 'standard requests answered by this host process', backlog: window.done, lag: window.done, lag_unit: 'successes', latest_id: story.active?.tag ?? null, latest_at: story.active?.live_since ?? null, detail: `window ${window.done}/${window.size}, ${story.applies} live applies (0 in 30 minutes), ${story.active?.tag ?? 'no model'} answers` }),
    ];
    const trained = story.control.recent();
    return {
      view: story.control.view('relay'),
      status: over ? 'degraded' : 'healthy',
      status_label: over ? 'Degraded' : 'Healthy',
      reason: over ? `Learning Ingest: ${this.lag} outcomes behind, at most ${LAG_MAX} are allowed` : '',
      steps,
      pulse: { queue_pending: pending, training_running: capacity.training, training_cap: capacity.ceiling.effective, utilisation_percent: capacity.ceiling.effective === 0 ? null : (100 * capacity.training) / capacity.ceiling.effective, other_running: 0, window_done: window.done, window_size: window.size, live_applies: story.applies, standard_model: story.active?.tag ?? null, last_model_switch: story.control.switches[0]?.at ?? null },
      sources_consumed_30m: recent,
      records_ingested_30m: memory.ingested_30m,
      ingest_backlog: this.lag,
      ingest_lag_max: LAG_MAX,
      gate_blocked: over && story.active ? { candidate: story.candidate?.tag ?? story.active.tag, stage: 'evaluate', reason: `the learning memory is ${this.lag} outcomes behind, at most ${LAG_MAX} are allowed`, since: story.at - 8_000, retry_at: story.at + 7_000 } : null,
      latest_success: success ? { run: success.id, source: success.source, title: success.name, host: success.host, at: success.finished_at } : null,
      trace_coverage: { with_trace: trained.outcomes, outcomes: trained.outcomes, percent: trained.outcomes === 0 ? null : 100 },
      recent: trained,
      counted_whole: true,
    };
  }

  sinks() {
    const { story } = this;
    const sink = (name, kind, target, events, rest) => ({ name, kind, target, events, state: 'idle', state_label: 'All is delivered', cursor: story.seq, lag: 0, lag_is_more: false, delivered: 0, last_at: null, failures: 0, problem: null, next_try_at: null, ...rest });
    const sinks = this.hasSinks
      ? [
          sink('audit', 'jsonl', '/var/lib/pointsman/outcomes.jsonl', ['run_finished'], { delivered: this.outcomes().length, last_at: this.outcomes()[0]?.finished_at ?? null }),
          sink('hook', 'webhook', 'http://127.0.0.1:9000/pointsman', ['run_finished', 'model_applied', 'model_rolled_back'], { state: 'retrying', state_label: 'Tried again', cursor: story.seq - 120, lag: 17, delivered: 44, last_at: story.at - 95_000, failures: 5, problem: 'it answered 503 Service Unavailable', next_try_at: story.at + 12_000 }),
        ]
      : [];
    return { view: story.control.view('sinks'), sinks };
  }

  /** What a run was given: the newest records before it. */
  given(row) {
    if (row.class !== 'training' || row.started_at === null) return null;
    const before = this.records().filter(({ run }) => run < row.id);
    const wanted = { same_host: (one) => one.success && one.host === row.host, similar: (one) => one.success && one.host !== row.host, failures: (one) => !one.success && one.source === row.source };
    const slots = BUDGETS.map(([slot, label, budget]) => {
      const items = before.filter(wanted[slot]).slice(0, 3).map(({ run, source, title, host, success, summary, text }) => ({ run, source, title, host, success, summary, text_chars: text.length, cut: false }));
      return { slot, label, budget_chars: budget, used_chars: items.reduce((all, { summary, text_chars: chars }) => all + summary.length + chars, 0), items };
    });
    const filled = slots.filter(({ items }) => items.length > 0).length;
    return { items: slots.reduce((all, { items }) => all + items.length, 0), coverage_percent: (100 * filled) / slots.length, slots, gaps: slots.filter(({ items }) => items.length < 2).map(({ slot }) => `slot_underfilled:${slot}`) };
  }

  answer(method, path, params, body) {
    switch (`${method} ${path}`) {
      case 'GET /api/v1/relay':
        return answer(this.relay());
      case 'GET /api/v1/memory':
        return this.search(params);
      case 'POST /api/v1/memory/rebuild':
        this.lag = 0;
        this.rebuilt = 'a person asked for it';
        this.story.seq += 1;
        return answer({ view: this.story.control.view('memory'), status: this.status(), records: [] });
      case 'GET /api/v1/sinks':
        return answer(this.sinks());
      case 'POST /mock/lag':
        this.lag = body.outcomes;
        return answer({});
      default:
        return undefined;
    }
  }
}

function answer(body) {
  return { status: 200, body };
}

function refused(status, code, detail) {
  return { status, problem: [code, detail, detail, null, [{ pointer: '/q', detail: 'at least one letter or digit' }]] };
}
