/** What the pages of queue, sources and campaigns show, worked out from what the host says. Headline numbers come from the host. */

import type { Call } from '../call';
import { WHOLE_BACKLOG, type QueueFilter } from '../route';
import type { Mark } from '../words';
import type { CampaignRow, DecisionRow, Excluded, ImportLine, ImportProgress, ImportReport, JobRow, NextCandidate, NextPick, NowRow, Problem, RefusedLine, SourceRow } from '../wire';

// The backlog and its filters.

export const PAGE = 25;

export const SOURCE_STATUSES: readonly { slug: string; label: string }[] = [
  { slug: '', label: 'Open' },
  { slug: 'pending', label: 'Pending' },
  { slug: 'waiting', label: 'Waiting' },
  { slug: 'running', label: 'Running' },
  { slug: 'disabled', label: 'Disabled' },
  { slug: 'done', label: 'Done' },
  { slug: 'given_up', label: 'Given up' },
  { slug: 'cancelled', label: 'Cancelled' },
  { slug: 'all', label: 'All' },
];

export const ORIGINS = ['ui', 'api', 'cli', 'campaign', 'curriculum'] as const;

/** The host's question for a page of the backlog. */
export function sourcesPath(filter: QueueFilter, limit = PAGE): string {
  const { status, cursor, ...more } = filter;
  const params = new URLSearchParams({ limit: String(limit) });
  if (status !== 'all') params.set('status', status === '' ? 'open' : status);
  for (const [name, value] of Object.entries(more)) if (value !== '') params.set(name, value);
  if (cursor !== '') params.set('cursor', cursor);
  return `/api/v1/sources?${params}`;
}

/** Another choice begins at the first page again. */
export function narrowed(filter: QueueFilter, change: Partial<QueueFilter>): QueueFilter {
  return { ...filter, cursor: '', ...change };
}

export function isNarrowed(filter: QueueFilter): boolean {
  return Object.entries(filter).some(([name, value]) => name !== 'cursor' && value !== '');
}

export type Nothing = { kind: 'nothing-yet' | 'no-match'; what: string; why: string };

/** Why a page of the backlog holds no row. */
export function emptiness(filter: QueueFilter, hasMore: boolean): Nothing {
  if (hasMore) return { kind: 'no-match', what: 'No match so far', why: 'The host looks at a bounded number of rows per page, and found none in these. The next page goes on.' };
  if (filter.cursor !== '') return { kind: 'no-match', what: 'No more sources', why: 'This page lies behind the last row.' };
  const only = Object.entries(filter).filter(([name, value]) => value !== '' && name !== 'cursor');
  if (only.length === 0 || (only.length === 1 && filter.status === 'all')) {
    return { kind: 'nothing-yet', what: 'Nothing is pending', why: 'Queue a source or a campaign below, or bring a file in; the curriculum adds to its own lane by itself.' };
  }
  return { kind: 'no-match', what: 'No match', why: `No source matches ${only.map(([name, value]) => `${name} “${value}”`).join(', ')}.` };
}

const SOURCE_MARKS: Record<string, Mark> = {
  pending: { tone: 'quiet', glyph: 'wait' },
  waiting: { tone: 'warn', glyph: 'wait' },
  running: { tone: 'info', glyph: 'play' },
  disabled: { tone: 'warn', glyph: 'pause' },
  done: { tone: 'good', glyph: 'check' },
  given_up: { tone: 'bad', glyph: 'cross' },
  cancelled: { tone: 'quiet', glyph: 'stop' },
};

export function sourceMark(status: string): Mark {
  return SOURCE_MARKS[status] ?? { tone: 'quiet', glyph: 'dot' };
}

const CAMPAIGN_MARKS: Record<string, Mark> = {
  queued: { tone: 'quiet', glyph: 'wait' },
  running: { tone: 'info', glyph: 'play' },
  cancelled: { tone: 'warn', glyph: 'stop' },
  ended: { tone: 'good', glyph: 'check' },
};

export function campaignMark(campaign: CampaignRow): Mark {
  if (campaign.state === 'ended' && campaign.failed > 0) return { tone: 'bad', glyph: 'cross' };
  return CAMPAIGN_MARKS[campaign.state] ?? { tone: 'quiet', glyph: 'dot' };
}

const MODES: Record<string, string> = { none: 'none', queue_pending: 'queue', curriculum_fallback: 'curriculum fallback' };

/** `queue_pending` in words. */
export function modeWords(mode: string): string {
  return MODES[mode] ?? mode.replaceAll('_', ' ');
}

// What may be done with a source.

export type Verb = 'priority' | 'title' | 'move' | 'disable' | 'enable' | 'cancel' | 'run';

export const VERBS: Record<Verb, { label: string; one: boolean; danger: boolean }> = {
  run: { label: 'Run now', one: false, danger: false },
  priority: { label: 'Set priority', one: false, danger: false },
  title: { label: 'Rename', one: true, danger: false },
  move: { label: 'Move lane', one: false, danger: false },
  disable: { label: 'Disable', one: false, danger: false },
  enable: { label: 'Enable', one: false, danger: false },
  cancel: { label: 'Cancel', one: false, danger: true },
};

/** A running source is its run's matter; one that has ended stays as it is. */
export function verbsFor({ status }: Pick<SourceRow, 'status'>): Verb[] {
  if (status === 'pending' || status === 'waiting') return ['run', 'priority', 'title', 'move', 'disable', 'cancel'];
  if (status === 'disabled') return ['enable', 'run', 'priority', 'title', 'move', 'cancel'];
  return [];
}

/** What may be done with all of them: each verb with those that it applies to. */
export function verbsForAll(rows: readonly SourceRow[]): { verb: Verb; rows: SourceRow[] }[] {
  const verbs = (Object.keys(VERBS) as Verb[]).filter((verb) => !VERBS[verb].one || rows.length === 1);
  return verbs.map((verb) => ({ verb, rows: rows.filter((row) => verbsFor(row).includes(verb)) })).filter((one) => one.rows.length > 0);
}

export type Chosen = { reason: string; priority?: number; title?: string; lane?: string };

/** The verb as the request that does it. */
export function verbCall(verb: Verb, source: number, { reason, priority, title, lane }: Chosen): Call {
  const path = `/api/v1/sources/${source}`;
  const because = reason === '' ? [] : ['--reason', reason];
  const cli = (word: string, ...more: string[]) => ['queue', word, String(source), ...more, ...because];
  switch (verb) {
    case 'priority':
      return { method: 'PATCH', path, body: { priority, reason }, cli: cli('edit', '--priority', String(priority)) };
    case 'title':
      return { method: 'PATCH', path, body: { title, reason }, cli: cli('edit', '--title', title ?? '') };
    case 'move':
      return { method: 'POST', path: `${path}/move`, body: { lane, reason }, cli: cli('move', '--lane', lane ?? '') };
    case 'disable':
    case 'enable':
    case 'cancel':
    case 'run':
      return { method: 'POST', path: `${path}/${verb}`, body: { reason }, cli: cli(verb) };
  }
}

/** What brings the source back to how this row shows it; none where nothing does. */
export function undoOf(verb: Verb, row: SourceRow): Call | null {
  const reason = `${VERBS[verb].label.toLowerCase()} was undone on the dashboard`;
  switch (verb) {
    case 'priority':
      return verbCall('priority', row.id, { reason, priority: row.priority });
    case 'title':
      return verbCall('title', row.id, { reason, title: row.title });
    case 'move':
      return verbCall('move', row.id, { reason, lane: row.lane });
    case 'disable':
      // A source that waited for its next attempt would come back as pending: that is another state.
      return row.status === 'pending' ? verbCall('enable', row.id, { reason }) : null;
    case 'enable':
      return verbCall('disable', row.id, { reason });
    case 'cancel':
    case 'run':
      return null;
  }
}

const DONE: Record<Verb, string> = { run: 'started', priority: 'changed', title: 'renamed', move: 'moved', disable: 'disabled', enable: 'enabled', cancel: 'cancelled' };

/** `3 sources disabled`. */
export function doneWords(verb: Verb, rows: readonly SourceRow[]): string {
  return `${rows.length === 1 ? `Source ${rows[0]?.id}` : `${rows.length} sources`} ${DONE[verb]}`;
}

// What runs, and what comes next.

export type Why = { decision: number; text: string } | null;

/** The decision that picked what runs, and its first reason where the feed still holds it. */
export function whyNow(now: NowRow, jobs: readonly JobRow[], decisions: readonly DecisionRow[]): Why {
  const decision = jobs.find((job) => job.id === now.run)?.decision ?? null;
  if (decision === null) return null;
  const row = decisions.find((one) => one.id === decision);
  return { decision, text: row?.reasons[0]?.text ?? row?.summary ?? '' };
}

/** Why nothing runs: the host's words on both lanes, or else what holds the next pick back. */
export function idleWhy(reason: string | null, next: Pick<NextPick, 'holds'> | null): string {
  return reason ?? next?.holds[0]?.text ?? (next === null ? 'Why is not known yet.' : 'The next source is picked in a moment.');
}

export type Behind = NextCandidate & { behind: number | null };

/** The others, nearest to being picked first, with how far each is behind the first pick. */
export function othersBehind({ picks, others }: Pick<NextPick, 'picks' | 'others'>): Behind[] {
  const best = picks[0]?.score ?? null;
  const behind = others.map((one) => ({ ...one, behind: best === null || one.score === null ? null : best - one.score }));
  return behind.sort((a, b) => Number(a.blocked.length > 0) - Number(b.blocked.length > 0) || (b.score ?? -Infinity) - (a.score ?? -Infinity));
}

/** Terms that say something, largest first. */
export function tellingTerms({ terms }: NextCandidate): NextCandidate['terms'] {
  return terms.filter(({ value }) => value !== 0).sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
}

/** `12 kept out` or, where a rule concerns the time and not sources, nothing. */
export function keptOut({ sources }: Excluded): string {
  return sources === null ? '' : `${sources.toLocaleString('en-US')} ${sources === 1 ? 'source' : 'sources'}`;
}

// Forms.

/** What is wrong with a field, by its name; what belongs to no field of the form is under the empty name. */
export function fieldProblems(problem: Problem | null, fields: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { pointer, detail } of problem?.errors ?? []) {
    const name = pointer.replace(/^\//, '').split('/')[0] ?? '';
    const at = fields.includes(name) ? name : '';
    found[at] = found[at] === undefined ? detail : `${found[at]}; ${detail}`;
  }
  return found;
}

export type Draft = { title: string; host: string; lane: string; priority: string; body: string; size: string; reason: string };

export const EMPTY_DRAFT: Draft = { title: '', host: '', lane: 'queue', priority: '0', body: '', size: '10', reason: '' };

export type Parsed = { call: Call; wrong: Record<string, string> };

/** What of the draft is sent: for one run, or for a campaign. What cannot be sent at all is told at its field; the rest the host judges. */
export function parseDraft(draft: Draft, campaign: boolean): Parsed {
  const wrong: Record<string, string> = {};
  const whole = (name: 'priority' | 'size', text: string): number => {
    if (!/^-?[0-9]{1,15}$/.test(text.trim())) wrong[name] = 'a whole number';
    return Number(text);
  };
  const title = draft.title.trim();
  const host = draft.host.trim();
  const priority = whole('priority', draft.priority);
  const body: Record<string, unknown> = { title };
  const words = ['--title', title];
  if (host !== '') {
    body['host'] = host;
    words.push('--host', host);
  }
  if (draft.body.trim() !== '') {
    body['body'] = draft.body;
    words.push('--body', draft.body);
  }
  body['priority'] = priority;
  if (priority !== 0) words.push('--priority', draft.priority.trim());
  if (!campaign) return { call: { method: 'POST', path: '/api/v1/sources', body: { ...body, origin: 'ui' }, cli: ['queue', 'add', ...words] }, wrong };
  const size = whole('size', draft.size);
  const reason = draft.reason.trim();
  const because = reason === '' ? [] : ['--reason', reason];
  return { call: { method: 'POST', path: '/api/v1/campaigns', body: { ...body, size, ...(reason === '' ? {} : { reason }) }, cli: ['campaign', 'start', ...words, '--size', draft.size.trim(), ...because] }, wrong };
}

// Imports.

export type Import = {
  state: 'sending' | 'reading' | 'done' | 'broken';
  sent: number;
  size: number;
  progress: ImportProgress | null;
  refused: RefusedLine[];
  report: ImportReport | null;
  problem: Problem | null;
};

export function importOf(size: number): Import {
  return { state: 'sending', sent: 0, size, progress: null, refused: [], report: null, problem: null };
}

/** One more line of the host's answer. */
export function withLine(before: Import, line: ImportLine): Import {
  if ('started' in line) return before;
  if ('progress' in line) return { ...before, progress: line.progress };
  if ('refused' in line) return { ...before, refused: [...before.refused, line.refused] };
  if ('report' in line) return { ...before, state: 'done', report: line.report };
  return { ...before, state: 'broken', problem: line.problem };
}

/** Bytes that are through: the host tells what it has read, the browser what has left. */
export function throughBytes({ state, sent, size, progress }: Import): number {
  return state === 'done' ? size : Math.min(size, Math.max(sent, progress?.bytes ?? 0));
}

/** The content type that the host reads the file by; none where the name tells of neither. */
export function contentType(name: string): string | null {
  if (/\.(jsonl|ndjson)$/i.test(name)) return 'application/x-ndjson';
  return /\.csv$/i.test(name) ? 'text/csv' : null;
}

/** The lines that were not taken, as a file for a spreadsheet. */
export function refusedCsv(refused: readonly RefusedLine[]): string {
  const cell = (text: string) => `"${text.replaceAll('"', '""')}"`;
  const rows = refused.map(({ line, field, problem, fix }) => [String(line), cell(field), cell(problem), cell(fix)].join(','));
  return ['line,field,problem,fix', ...rows].join('\n') + '\n';
}

/** `c-3` */
export function campaignName(id: number): string {
  return `c-${id}`;
}

export function campaignSources(id: number, cursor: string): QueueFilter {
  return { ...WHOLE_BACKLOG, status: 'all', campaign: campaignName(id), cursor };
}

/** The parts of a campaign's bar, in the order of a life; shares are of its total. */
export function campaignParts(campaign: CampaignRow): { slug: string; label: string; count: number; share: number }[] {
  const { total, done, failed, cancelled, running, queued } = campaign;
  const parts = [
    { slug: 'done', label: 'done', count: done },
    { slug: 'failed', label: 'failed', count: failed },
    { slug: 'cancelled', label: 'cancelled', count: cancelled },
    { slug: 'running', label: 'running', count: running },
    { slug: 'queued', label: 'queued', count: queued },
  ];
  return parts.map((part) => ({ ...part, share: total === 0 ? 0 : part.count / total }));
}

export function isOpen({ state }: Pick<CampaignRow, 'state'>): boolean {
  return state === 'queued' || state === 'running';
}

// One source's history.

export type Step = { at: number; text: string; run: number | null };

/** What happened to a source, newest first. */
export function sourceStory(row: SourceRow, jobs: readonly JobRow[]): Step[] {
  const steps: Step[] = [{ at: row.queued_at, text: `queued from ${row.origin}`, run: null }];
  for (const job of jobs) {
    steps.push({ at: job.created_at, text: `run ${job.id} planned, attempt ${job.attempt}`, run: job.id });
    if (job.finished_at !== null) steps.push({ at: job.finished_at, text: `run ${job.id} ${job.status_label.toLowerCase()}${job.failure_class === null ? '' : `: ${job.failure_class}`}`, run: job.id });
  }
  if (row.finished_at !== null) steps.push({ at: row.finished_at, text: `${row.status_label.toLowerCase()}${row.reason === null ? '' : `: ${row.reason}`}`, run: null });
  // What happened in the same moment stays in the order in which it can only have happened.
  return steps.map((step, at) => ({ step, at })).sort((a, b) => b.step.at - a.step.at || b.at - a.at).map(({ step }) => step);
}

export function cancelCampaignCall(campaign: number, endRuns: boolean, reason: string): Call {
  const words = [...(endRuns ? ['--end-runs'] : []), ...(reason === '' ? [] : ['--reason', reason])];
  return { method: 'POST', path: `/api/v1/campaigns/${campaign}/cancel`, body: { reason, end_runs: endRuns }, cli: ['campaign', 'cancel', campaignName(campaign), ...words] };
}

export function lockCall(key: string, value: string, reason: string): Call {
  const words = [...(key === 'campaign' ? ['--campaign'] : []), ...(reason === '' ? [] : ['--reason', reason])];
  return { method: 'POST', path: '/api/v1/queue/lock', body: { key, value, reason }, cli: ['queue', 'lock', value, ...words] };
}

export function unlockCall(reason: string): Call {
  return { method: 'POST', path: '/api/v1/queue/unlock', body: { reason }, cli: ['queue', 'unlock', ...(reason === '' ? [] : ['--reason', reason])] };
}
