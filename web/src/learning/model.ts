/** The way from a queued source to standard requests, put into words; every figure is the host's. */

import { query, type Call } from '../call';
import { count, duration, plural } from '../format';
import { href } from '../route';
import type { RelayStep, SinkCard } from '../wire';
import type { Mark } from '../words';

const QUIET: Mark = { tone: 'quiet', glyph: 'dot' };

const RELAY: Record<string, Mark> = {
  healthy: { tone: 'good', glyph: 'check' },
  degraded: { tone: 'warn', glyph: 'warn' },
};

export function relayMark(status: string): Mark {
  return RELAY[status] ?? QUIET;
}

const STEPS: Record<string, Mark> = {
  idle: { tone: 'quiet', glyph: 'pause' },
  active: { tone: 'good', glyph: 'play' },
  waiting: { tone: 'quiet', glyph: 'wait' },
  stopped: { tone: 'quiet', glyph: 'stop' },
  degraded: { tone: 'warn', glyph: 'warn' },
};

export function stepMark(state: string): Mark {
  return STEPS[state] ?? QUIET;
}

const MEMORY: Record<string, Mark> = {
  starting: { tone: 'quiet', glyph: 'wait' },
  ready: { tone: 'good', glyph: 'check' },
  catching_up: { tone: 'info', glyph: 'ring' },
  rebuilding: { tone: 'info', glyph: 'ring' },
  failing: { tone: 'bad', glyph: 'cross' },
};

export function memoryMark(state: string): Mark {
  return MEMORY[state] ?? QUIET;
}

const SINKS: Record<string, Mark> = {
  starting: { tone: 'quiet', glyph: 'wait' },
  idle: { tone: 'good', glyph: 'check' },
  delivering: { tone: 'info', glyph: 'ring' },
  retrying: { tone: 'warn', glyph: 'warn' },
};

export function sinkMark(state: string): Mark {
  return SINKS[state] ?? QUIET;
}

const BACKLOGS: Record<string, string> = {
  intake: 'Pending sources',
  execution: 'Planned, not begun',
  ingest: 'Not ingested yet',
  reuse: 'Window so far',
};

/** What waits for a step, by its name. */
export function backlogLabel(slug: string): string {
  return BACKLOGS[slug] ?? 'Waiting';
}

/** How far a step is behind, beside its limit; none where it has no limit of its own. */
export function behind({ lag, lag_max: limit, lag_unit: unit }: RelayStep): { text: string; over: boolean } | null {
  if (limit === null) return null;
  const words = (value: number) => (unit === 'ms' ? duration(value) : count(value));
  return { text: `${words(lag)} of ${words(limit)}${unit === 'ms' ? '' : ` ${unit}`}`, over: lag > limit };
}

/** The newest that a step dealt with, and the page that tells of it. */
export function latest({ slug, latest_id: id }: RelayStep): { text: string; href: string } | null {
  if (id === null) return null;
  if (slug === 'reuse') return { text: id, href: href({ page: 'promotion', at: '' }) };
  if (slug === 'intake') return { text: `source ${id}`, href: href({ page: 'source', id: Number(id) }) };
  return { text: `run ${id}`, href: href({ page: 'job', id: Number(id) }) };
}

/** Where not all was counted, a figure is the least that it can be. */
export function counted(value: number, whole: boolean): string {
  return whole ? count(value) : `at least ${count(value)}`;
}

export function lagWords({ lag, lag_is_more: more }: SinkCard): string {
  return more ? `more than ${count(lag)}` : count(lag);
}

/** Kinds of entries that a sink is sent. */
export function eventWords(events: readonly string[]): string {
  return events.length === 0 ? 'all entries' : events.join(', ');
}

export function failureWords({ failures }: SinkCard): string {
  return failures === 0 ? 'none' : `${plural(failures, 'failure')} in a row`;
}

/** Records are asked for so many at a time. */
const RECORDS = 12;
/** Of a long text so many letters are shown around the first word that was asked for. */
const EXCERPT = 220;
const BEFORE = 60;

export function recordsPath(search: string): string {
  return '/api/v1/memory' + query({ q: search.trim(), limit: RECORDS });
}

export function memoryCall(search: string): Call {
  const words = search.trim();
  return { method: 'GET', path: recordsPath(words), cli: words === '' ? ['memory', 'status'] : ['memory', 'search', ...words.split(/\s+/)] };
}

export const REBUILD: Call = { method: 'POST', path: '/api/v1/memory/rebuild', cli: ['memory', 'rebuild'] };

export type Piece = { text: string; hit: boolean };

/** A text cut at the words that were asked for. As the host finds them: whole words, whatever their case and accents. */
export function pieces(text: string, search: string): Piece[] {
  const wanted = new Set(wordsOf(search).map(([word]) => folded(word)));
  const found: Piece[] = [];
  const push = (part: string, hit: boolean) => {
    const last = found.at(-1);
    if (part === '') return;
    if (last?.hit === hit) last.text += part;
    else found.push({ text: part, hit });
  };
  let from = 0;
  for (const [word, at] of wordsOf(text)) {
    if (!wanted.has(folded(word))) continue;
    push(text.slice(from, at), false);
    push(word, true);
    from = at + word.length;
  }
  push(text.slice(from), false);
  return found;
}

/** The part of a text around the first word that was asked for; its beginning where there is none. */
export function excerpt(text: string, search: string): string {
  const flat = text.replace(/\s+/g, ' ').trim();
  const wanted = new Set(wordsOf(search).map(([word]) => folded(word)));
  const hit = wordsOf(flat).find(([word]) => wanted.has(folded(word)))?.[1] ?? 0;
  const from = hit <= BEFORE ? 0 : (flat.indexOf(' ', hit - BEFORE) + 1 || hit);
  const part = flat.slice(Math.min(from, hit), Math.min(from, hit) + EXCERPT);
  return `${from > 0 ? '… ' : ''}${part}${Math.min(from, hit) + EXCERPT < flat.length ? ' …' : ''}`;
}

function wordsOf(text: string): [string, number][] {
  return [...text.matchAll(/[\p{L}\p{N}\p{M}]+/gu)].map((match) => [match[0], match.index]);
}

function folded(word: string): string {
  return word.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
}

/** What to write into `sinks.json`, for those who have none. */
export const SINKS_EXAMPLE = `{ "sinks": [
  { "name": "audit", "kind": "jsonl", "path": "outcomes.jsonl" },
  { "name": "hook", "kind": "webhook", "url": "http://127.0.0.1:9000/hook", "secret_file": "hook.key" }
] }`;
