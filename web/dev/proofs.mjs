/** What the made-up host says of its record: dry runs, verification, flips, cases; and what a script may name. */

const STEPS = 8;
const CASES_MAX = 100;

/** As the real host would: by line and column, with the cure. The story knows four mistakes. */
export function refusal(file, text = '') {
  const place = (pattern) => {
    const at = text.search(pattern);
    if (at < 0) return null;
    const before = text.slice(0, at).split('\n');
    return { line: before.length, column: before.at(-1).length + 1 };
  };
  const field = place(/\bbackof_ms\b/);
  if (field) return problem(file, 'PM2104', field, '`backof_ms` is not a field of a retry decision', 'Write `backoff_ms`, the nearest name. More: pointsman policy explain PM2104');
  const kind = text.includes('fn describe') ? null : { line: 1, column: 1 };
  if (kind) return problem(file, 'PM2103', kind, 'there is no function `describe`', 'Add fn describe() { #{ name: "...", version: "...", kind: "..." } }');
  const open = (text.match(/[{[(]/g) ?? []).length - (text.match(/[}\])]/g) ?? []).length;
  if (open === 0) return null;
  const lines = text.trimEnd().split('\n');
  return problem(file, 'PM2101', { line: lines.length, column: lines.at(-1).length + 1 }, open > 0 ? 'the script ends inside of an open bracket' : 'a bracket is closed that is not open', 'Close what is open');
}

function problem(file, code, { line, column }, message, fix) {
  return { code, stage: code === 'PM2104' ? 'compile' : 'parse', file, line, column, message, fix };
}

export function definitions(kind) {
  const fields = {
    'source-selection': { ctx: ['free', 'lane_mode', 'lock', 'hosts', 'host_loads', 'recent_hosts', 'candidates', 'left_out'], candidate: ['id', 'lane', 'host', 'age_s', 'attempts', 'priority'], host_load: ['running', 'pending', 'successes', 'failures'], failures: ['infra', 'total'] },
    retry: { ctx: ['source', 'run', 'title', 'host', 'attempt', 'class', 'failures', 'budget', 'budget_left', 'same_error_before'], failures: ['infra', 'preempted', 'transient', 'total'] },
    'promotion-gate': { ctx: ['stage', 'candidate', 'baseline', 'pairs', 'guardrails', 'looks', 'cap'], pair: ['host', 'baseline', 'candidate'], guardrail: ['name', 'limit'] },
    curriculum: { ctx: ['budget', 'hosts', 'skills'], skill: ['tries', 'progress', 'stale_s', 'parked'] },
  }[kind];
  if (!fields) return null;
  const own = Object.entries({ ...fields, ctx: ['now_ms', 'seed', 'settings', 'state', ...fields.ctx], answer: ['verdict', 'reasons', 'scores', 'distribution', 'state'] });
  const functions = [['min', '(x: int, y: int) -> int', '(x: float, y: float) -> float'], ['max', '(x: int, y: int) -> int'], ['round', '(x: float) -> float'], ['seeded', '(seed: int, index: int) -> float'], ['fixed', '(x: float, digits: int) -> text'], ['push', '(list: list, item: any)'], ['to_int', '(x: float) -> int']];
  return {
    kind,
    entries: [...own.flatMap(([place, names]) => names.map((name) => ({ place, name, signatures: [] }))), ...functions.map(([name, ...forms]) => ({ place: 'function', name, signatures: forms.map((form) => name + form) }))],
  };
}

const CHANGES = {
  'source-selection': ['picks_other', 'picks another', (one) => `picks #${one.id + 3} minutes`],
  retry: ['retries_later', 'retries later', () => 'again in 16.0 s'],
  'promotion-gate': ['needs_more', 'wants more evidence', () => 'asks for 24 more pairs'],
  curriculum: ['plants_other', 'seeds others', () => 'seeds ledger and weather'],
};

/** How long a made-up host takes for a page of decisions. */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Every third decision changes where the text is not the one that serves; `throw` fails, `slow_down` is costly. */
export async function* dryRun(story, offer, { last = 1_000, decision = null }, stepMs) {
  const recorded = story.decisions.filter((one) => one.kind === offer.kind && (decision === null || one.id === decision)).slice(0, last).reverse();
  for (let step = 1; step <= STEPS; step++) {
    yield { progress: { done: Math.round((recorded.length * step) / STEPS), total: recorded.length } };
    await pause(stepMs);
  }
  const [slug, label, words] = CHANGES[offer.kind];
  const { throws, same, slow } = offer;
  const gone = recorded.filter((_, at) => at % 40 === 39);
  const replayed = recorded.filter((_, at) => at % 40 !== 39);
  const cases = [];
  const groups = new Map();
  replayed.forEach((one, at) => {
    const { retry, selection, curriculum } = story.details.get(one.id).context;
    const host = retry?.host ?? (selection ? selection.hosts[0] : curriculum?.hosts[at % 3]);
    const kinds = throws && at % 11 === 4 ? 'new_error_trap' : same ? null : at % 3 === 2 ? slug : at % 7 === 3 ? 'reason_only' : null;
    const group = (dimension, key) => {
      const known = groups.get(dimension + key) ?? { dimension, key, replayed: 0, changed: 0, lost: 0, gained: 0 };
      groups.set(dimension + key, known);
      const changed = kinds !== null && kinds !== 'reason_only';
      known.replayed += 1;
      known.changed += Number(changed);
      known.lost += Number(changed && at % 2 === 0);
      known.gained += Number(changed && at % 2 === 1);
    };
    if (offer.kind === 'promotion-gate') group('model', /m-[0-9]+/.exec(one.summary)?.[0] ?? 'm-1');
    else {
      group('host', host);
      if (offer.kind !== 'curriculum') group('source', String((one.id % 9) + 1));
    }
    if (kinds === null) return;
    const reasons = one.reasons.map((reason) => reason.text);
    const after = kinds === 'new_error_trap' ? 'trap: the script threw "not today" at line 14' : kinds === 'reason_only' ? one.summary : words(one);
    cases.push({ decision: one.id, at: one.at, class: kinds, class_label: { new_error_trap: 'new error: trap', reason_only: 'other reasons only' }[kinds] ?? label, before: one.summary, after, before_reasons: reasons, after_reasons: kinds === 'new_error_trap' ? [] : [`${offer.name} ${offer.version} weighs the wait more than the failures`] });
  });
  const count = (kind) => cases.filter((one) => one.class === kind).length;
  const changed = cases.length - count('reason_only');
  const classes = [...new Set(cases.map((one) => one.class))].map((kind) => ({ slug: kind, label: cases.find((one) => one.class === kind).class_label, count: count(kind) })).sort((a, b) => b.count - a.count);
  const errors = count('new_error_trap');
  const fuel = slow ? 4 : 1.06;
  const none = recorded.length === 0;
  yield {
    report: {
      kind: offer.kind,
      policy: `${offer.name}@${offer.version}`,
      digest: offer.digest,
      first_decision: recorded[0]?.id ?? null,
      last_decision: recorded.at(-1)?.id ?? null,
      from: recorded[0]?.at ?? null,
      until: recorded.at(-1)?.at ?? null,
      looked_at: recorded.length,
      replayed: replayed.length,
      not_replayable: gone.length > 0 ? [{ slug: 'context_gone', label: 'the context is no longer kept', count: gone.length }] : [],
      same: replayed.length - cases.length,
      changed,
      changed_share: replayed.length === 0 ? 0 : changed / replayed.length,
      keeps_state: false,
      classes,
      new_errors: errors,
      errors_gone: 0,
      before: none ? { fuel_p50: null, fuel_p99: null } : { fuel_p50: 41_000, fuel_p99: 90_000 },
      after: none ? { fuel_p50: null, fuel_p99: null } : { fuel_p50: Math.round(41_000 * (same ? 1 : fuel)), fuel_p99: Math.round(90_000 * (same ? 1 : fuel)) },
      first_divergence: cases.find((one) => one.class !== 'reason_only') ?? null,
      groups: [...groups.values()].filter((one) => one.changed > 0).sort((a, b) => a.dimension.localeCompare(b.dimension) || b.changed - a.changed).slice(0, 12),
      groups_left_out: Math.max(0, [...groups.values()].filter((one) => one.changed > 0).length - 12),
      cases: cases.slice(0, CASES_MAX),
      cases_left_out: Math.max(0, cases.length - CASES_MAX),
      budgets: { last: 200, changed_share_max: null, new_errors_max: 0, fuel_factor_max: null, forbidden: [] },
      broken: errors > 0 ? [`${errors} new errors where ${replayed.length} were decided (${errors} new error: trap), at most 0 may be (new_errors_max)`] : [],
    },
  };
  yield { timing: { before: none ? { micros_p50: null, micros_p99: null } : { micros_p50: 240, micros_p99: 310 }, after: none ? { micros_p50: null, micros_p99: null } : { micros_p50: slow ? 960 : 251, micros_p99: slow ? 1_400 : 340 } } };
}

/** Made again, a decision by the built-in is of another time; all others are identical. */
export function verified(one) {
  const built = one.link === 'built_in';
  return {
    decision: one.id,
    kind: one.kind,
    policy: one.policy,
    result: built ? 'not_replayable' : 'identical',
    recorded: one.summary,
    detail: built ? 'the built-in fallback answered under other guards than the settings have now' : 'verdict, reasons, scores, state and fuel are the same',
  };
}

export async function* verify(story, { kind, last = 1_000 }, stepMs) {
  const rows = story.decisions.filter((one) => !kind || one.kind === kind).slice(0, last).reverse().map(verified);
  for (let step = 1; step <= STEPS; step++) {
    yield { progress: { done: Math.round((rows.length * step) / STEPS), total: rows.length } };
    await pause(stepMs);
  }
  const left = rows.filter((row) => row.result !== 'identical');
  yield {
    verification: {
      looked_at: rows.length,
      identical: rows.length - left.length,
      same_verdict: 0,
      diverged: 0,
      not_replayable: left.length,
      why_not: left.length > 0 ? [{ slug: 'not_replayable', label: left[0].detail, count: left.length }] : [],
      engines: ['rhai 1.27 in wasmtime 48', 'wasmtime 48'],
      rows: left.slice(0, 100),
    },
  };
}

/** What a version would have been worth; of one named `thin` nothing can be known. */
export async function* value(story, offer, { last = 10_000 }, stepMs) {
  const rows = story.decisions.filter((one) => one.kind === 'source-selection').slice(0, last);
  for (let step = 1; step <= STEPS; step++) {
    yield { progress: { done: Math.round((rows.length * step) / STEPS), total: rows.length } };
    await pause(stepMs);
  }
  const known = offer.name !== 'thin';
  const about = (value, wide) => ({ value, low: value - wide, high: value + wide });
  yield {
    value: {
      kind: 'source-selection', policy: `${offer.name}@${offer.version}`, digest: offer.digest, first_decision: rows.at(-1)?.id ?? null, last_decision: rows[0]?.id ?? null, from: null, until: null,
      looked_at: rows.length, used: rows.length, left_out: [{ slug: 'not_drawn', label: 'nothing was left to chance', count: 12 }], errors: 0, idles: 0, keeps_state: false,
      known, cannot_know: known ? [] : [{ slug: 'few_effective', words: 'The picks are worth 11.4 equally weighted decisions; 30 are needed.' }],
      recorded: about(0.71, 0.06), ips: known ? about(0.79, 0.17) : null, snips: known ? about(0.78, 0.1) : null, doubly_robust: known ? about(0.77, 0.08) : null, gain: known ? about(0.06, 0.07) : null,
      interval: '95 %, normal', effective_n: known ? 55.9 : 11.4, weight_max: 1.42, unsupported_share: 0, matched: rows.length,
    },
  };
}

export function flips({ row, context }) {
  const why_not = row.link === 'built_in' ? 'a built-in fallback answered, which is no policy' : null;
  const found = {
    'source-selection': [{ field: 'candidates[1].age_s', from: context.selection?.candidates[1]?.age_s ?? 12, to: 61.25, verdict: 'pick', becomes: 'picks #2 minutes' }, { field: 'candidates[0].priority', from: 0, to: -2, verdict: 'pick', becomes: 'picks #2 minutes' }],
    retry: [{ field: 'attempt', from: context.retry?.attempt ?? 1, to: 3, verdict: 'give_up', becomes: `gives up on #${context.retry?.source ?? 1}` }, { field: 'budget_left', from: context.retry?.budget_left ?? 2, to: 0, verdict: 'give_up', becomes: `gives up on #${context.retry?.source ?? 1}` }],
    'promotion-gate': [],
    curriculum: [{ field: 'skills[2].progress', from: 0.031, to: 0.002, verdict: 'plant', becomes: 'seeds ledger and weather' }],
  }[row.kind];
  return { decision: row.id, policy: row.policy, flips: why_not === null ? found : [], fields: why_not === null ? 42 : 0, asked: why_not === null ? 1_284 : 0, complete: row.kind !== 'source-selection', why_not };
}

export function caseOf({ row, context, ruling }) {
  const [fields] = Object.values(context);
  const { frame: _, ...told } = fields;
  const [verdict] = Object.values(ruling.verdict);
  return { name: `decision ${row.id}: ${row.summary}`, context: told, expect: { verdict, reasons: row.reasons.map((reason) => reason.code) } };
}
