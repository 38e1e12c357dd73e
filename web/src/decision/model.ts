/** A decision taken apart for the eye: its reasons, and its scores row by row. */

import { number } from '../format';
import type { DecisionRow, ReasonRow } from '../wire';

/** Two lists, latest first, as one without doubles; the first list has the newer word. */
export function joined(newer: readonly DecisionRow[], older: readonly DecisionRow[]): DecisionRow[] {
  const byId = new Map<number, DecisionRow>();
  for (const row of [...newer, ...older]) if (!byId.has(row.id)) byId.set(row.id, row);
  return [...byId.values()].sort((a, b) => b.id - a.id);
}

/** The first reasons in one line; the rest are counted. */
export function reasonsLine(reasons: readonly ReasonRow[], most = 2): string {
  const texts = reasons.slice(0, most).map(({ text, code }) => (text || code).replace(/\.$/, ''));
  if (reasons.length > most) texts.push(`${reasons.length - most} more`);
  return texts.join(' · ');
}

export type ReasonView = { code: string; text: string; feature: string; value: string; threshold: string; margin: string };

export function reasonView({ code, text, feature, value, threshold, margin }: ReasonRow): ReasonView {
  return {
    code,
    text,
    feature: feature ?? '',
    value: value === null ? '' : number(value),
    threshold: threshold === null ? '' : number(threshold),
    margin: margin === null ? '' : (margin > 0 ? '+' : '') + number(margin),
  };
}

/** Whether any reason carries figures; without them the table has no such columns. */
export function reasonsHaveFigures(reasons: readonly ReasonRow[]): boolean {
  return reasons.some(({ feature, value, threshold, margin }) => feature !== null || value !== null || threshold !== null || margin !== null);
}

export type ScoreRow = {
  candidate: number;
  label: string;
  total: number;
  terms: number[];
  /** Rules that kept it out. */
  blocked: string[];
  /** Place in the verdict, from 1; none where it was not chosen. */
  rank: number | null;
  probability: number | null;
};

export type ScoreTable = { termNames: string[]; rows: ScoreRow[] };

/** `ruling.advice.scores` joined with what the context says of each candidate. Chosen ones first, then by total. */
export function scoreTable(context: unknown, ruling: unknown): ScoreTable | null {
  const advice = member(ruling, 'advice');
  const scores = member(advice, 'scores');
  const totals = numbers(member(scores, 'totals'));
  if (totals.length === 0) return null;
  const termNames = texts(member(scores, 'term_names'));
  const terms = numbers(member(scores, 'terms'));
  const rules = texts(member(scores, 'rules'));
  const blocks = list(member(scores, 'blocked'));
  const distribution = numbers(member(advice, 'distribution'));
  const chosen = chosenOf(member(ruling, 'verdict'));
  const labels = candidateLabels(context);
  const rows = totals.map((total, candidate): ScoreRow => {
    const rank = chosen.indexOf(candidate);
    return {
      candidate,
      label: labels[candidate] ?? `candidate ${candidate}`,
      total,
      terms: termNames.map((_, term) => terms[candidate * termNames.length + term] ?? Number.NaN),
      blocked: blocks
        .filter((block) => member(block, 'candidate') === candidate)
        .map((block) => rules[Number(member(block, 'rule'))] ?? `rule ${String(member(block, 'rule'))}`),
      rank: rank < 0 ? null : rank + 1,
      probability: distribution[candidate] ?? null,
    };
  });
  rows.sort((a, b) => (a.rank ?? Infinity) - (b.rank ?? Infinity) || a.blocked.length - b.blocked.length || b.total - a.total || a.candidate - b.candidate);
  return { termNames, rows };
}

/** Indexes that the verdict names: picked candidates, seeded or parked hosts. */
function chosenOf(verdict: unknown): number[] {
  const selection = member(verdict, 'selection');
  const picked = member(selection, 'pick');
  if (Array.isArray(picked)) return numbers(picked);
  const curriculum = member(verdict, 'curriculum');
  const planted = member(curriculum, 'plant');
  if (Array.isArray(planted)) return numbers(planted.map((seed: unknown) => member(seed, 'host')));
  return numbers(member(curriculum, 'park'));
}

function candidateLabels(context: unknown): string[] {
  const selection = member(context, 'selection');
  if (selection !== undefined) {
    const hosts = texts(member(selection, 'hosts'));
    return list(member(selection, 'candidates')).map((candidate) => {
      const host = member(candidate, 'host');
      const name = typeof host === 'number' ? hosts[host] : undefined;
      return `#${String(member(candidate, 'id'))}${name === undefined ? '' : ` ${name}`}`;
    });
  }
  return texts(member(member(context, 'curriculum'), 'hosts'));
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function numbers(value: unknown): number[] {
  return list(value).filter((item) => typeof item === 'number');
}

function texts(value: unknown): string[] {
  return list(value).filter((item) => typeof item === 'string');
}

export function cliCommand(id: number): string {
  return `pointsman decision ${id}`;
}

export function curlCommand(origin: string, id: number): string {
  return `curl -s ${origin}/api/v1/decisions/${id}`;
}
