/**
 * The draft of the live settings: what was typed, beside the values it was typed over. The host decides what is well formed
 * and what would change; here only what is typed is kept and told apart from what is live.
 */

import type { Call } from '../call';
import { query } from '../call';
import { number } from '../format';
import type { FieldError, Problem, SettingDiff, SettingRow, SettingsChange, SettingsForm, SettingsGroup } from '../wire';

export type Value = boolean | number | string | null;

/** As typed: a number may be half written. */
export type Typed = boolean | string | null;

export type Draft = {
  /** The tag of the settings that this is a change of, and their values; none while nothing is typed. */
  base: { etag: string; values: Record<string, Value> } | null;
  typed: Record<string, Typed>;
};

export const EMPTY_DRAFT: Draft = { base: null, typed: {} };

export function rows(form: SettingsForm): SettingRow[] {
  return form.groups.filter((group) => group.writable).flatMap((group) => group.settings);
}

export function liveValues(form: SettingsForm): Record<string, Value> {
  return Object.fromEntries(rows(form).map(({ name, value }) => [name, value]));
}

/** What stands in the field: what was typed, or what is live. */
export function typedOf(row: SettingRow, draft: Draft): Typed {
  const typed = draft.typed[row.name];
  return typed === undefined ? asTyped(row.value) : typed;
}

export function asTyped(value: Value): Typed {
  return typeof value === 'number' ? String(value) : value;
}

/** Typing begins a draft of the settings as they are; typing back what is live ends it. */
export function typeInto(draft: Draft, form: SettingsForm, name: string, typed: Typed): Draft {
  const base = draft.base ?? { etag: form.etag, values: liveValues(form) };
  const row = rows(form).find((one) => one.name === name);
  if (row === undefined) return draft;
  const { [name]: _, ...others } = draft.typed;
  const parsed = parse(row, typed);
  const next = parsed.problem === null && parsed.value === row.value ? others : { ...others, [name]: typed };
  return Object.keys(next).length === 0 ? EMPTY_DRAFT : { base, typed: next };
}

export function typeAll(draft: Draft, form: SettingsForm, values: Record<string, Value>): Draft {
  return Object.entries(values).reduce((after, [name, value]) => typeInto(after, form, name, asTyped(value)), draft);
}

export type Parsed = { value: Value; problem: null } | { value: null; problem: string };

export function parse(row: SettingRow, typed: Typed): Parsed {
  if (typed === null) return row.may_be_none ? { value: null, problem: null } : { value: null, problem: 'Give a value' };
  if (typeof typed === 'boolean' || row.choices.length > 0) return { value: typed, problem: null };
  if (typeof row.default === 'string') return { value: typed, problem: null };
  const text = typed.trim();
  const value = Number(text);
  if (text === '' || !Number.isFinite(value)) return { value: null, problem: 'Give a number' };
  if (row.minimum !== null && value < row.minimum) return { value: null, problem: `At least ${number(row.minimum)}` };
  if (row.maximum !== null && value > row.maximum) return { value: null, problem: `At most ${number(row.maximum)}` };
  return { value, problem: null };
}

export type Field = {
  row: SettingRow;
  type: 'flag' | 'choice' | 'number' | 'text';
  typed: Typed;
  /** What is wrong with it: what is seen here at once, or what the host said. */
  problem: string | null;
  changed: boolean;
  isDefault: boolean;
  bounds: string;
};

export function field(row: SettingRow, draft: Draft, refused: readonly FieldError[]): Field {
  const typed = typedOf(row, draft);
  const parsed = parse(row, typed);
  const said = refused.find(({ pointer }) => pointer === `/${row.name}`);
  return {
    row,
    type: typeof row.default === 'boolean' ? 'flag' : row.choices.length > 0 ? 'choice' : typeof row.default === 'string' ? 'text' : 'number',
    typed,
    problem: parsed.problem ?? (draft.typed[row.name] === undefined ? null : (said?.detail ?? null)),
    changed: draft.typed[row.name] !== undefined,
    isDefault: parsed.problem === null && parsed.value === row.default,
    bounds: bounds(row),
  };
}

function bounds({ minimum, maximum }: SettingRow): string {
  if (minimum !== null && maximum !== null) return `${number(minimum)} to ${number(maximum)}`;
  if (minimum !== null) return `at least ${number(minimum)}`;
  return maximum === null ? '' : `at most ${number(maximum)}`;
}

/** The values to send, or none while one of them is no value. */
export function patchOf(form: SettingsForm, draft: Draft): Record<string, Value> | null {
  const patch: Record<string, Value> = {};
  for (const row of rows(form)) {
    const typed = draft.typed[row.name];
    if (typed === undefined) continue;
    const parsed = parse(row, typed);
    if (parsed.problem !== null) return null;
    patch[row.name] = parsed.value;
  }
  return patch;
}

export function valueWords(value: Value, unit = ''): string {
  if (value === null) return 'none';
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (typeof value === 'string') return value.replaceAll('_', ' ');
  return unit === '' || unit === 'share' ? number(value) : `${number(value)} ${value === 1 ? one(unit) : unit}`;
}

/** `runs` of one: `run`. What is no plural stays. */
function one(unit: string): string {
  if (unit.endsWith('sses')) return unit.slice(0, -2);
  return unit.length > 2 && unit.endsWith('s') ? unit.slice(0, -1) : unit;
}

export function diffWords({ label, before, after }: SettingDiff): string {
  return `${label}: ${valueWords(before)} → ${valueWords(after)}`;
}

/** What somebody else has changed since the draft was begun. */
export type Conflict = { theirs: SettingDiff[]; both: string[] };

export function conflict(form: SettingsForm, draft: Draft): Conflict | null {
  const base = draft.base;
  if (base === null || base.etag === form.etag) return null;
  const theirs = rows(form).flatMap(({ name, label, value }) => {
    const before = base.values[name] ?? null;
    return before === value ? [] : [{ name, label, before, after: value }];
  });
  return { theirs, both: theirs.map(({ name }) => name).filter((name) => draft.typed[name] !== undefined) };
}

/** The same draft as a change of what is live now; `theirs` gives up what the other one has changed, too. */
export function rebase(form: SettingsForm, draft: Draft, keep: 'mine' | 'theirs'): Draft {
  const both = conflict(form, draft)?.both ?? [];
  const fresh: Draft = { base: { etag: form.etag, values: liveValues(form) }, typed: {} };
  const kept = Object.entries(draft.typed).filter(([name]) => keep === 'mine' || !both.includes(name));
  const next = kept.reduce((after, [name, typed]) => typeInto(after, form, name, typed), fresh);
  return Object.keys(next.typed).length === 0 ? EMPTY_DRAFT : next;
}

export function wanted(groups: readonly SettingsGroup[], search: string): SettingsGroup[] {
  const words = search.trim().toLowerCase();
  if (words === '') return [...groups];
  const fits = ({ name, label, help }: SettingRow) => [name, label, help].some((text) => text.toLowerCase().includes(words));
  return groups.map((group) => ({ ...group, settings: group.settings.filter(fits) })).filter(({ settings }) => settings.length > 0);
}

const CAUSES: Record<string, string> = { edited: 'edited', undone: 'undone', preset: 'preset', configured: 'set at the start of the host' };

export function causeWords(change: SettingsChange): string {
  if (change.undoes !== null) return `undid change ${change.undoes}`;
  if (change.preset !== null) return `preset ${change.preset}`;
  return CAUSES[change.cause] ?? change.cause;
}

export const PRESET_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

const SETTINGS = '/api/v1/settings';
const reasoned = (reason: string) => (reason === '' ? [] : ['--reason', reason]);
const shellValue = (value: Value) => (value === null ? 'none' : String(value));

export const settingCalls = {
  change: (patch: Record<string, Value>, etag: string, reason: string, dryRun = false): Call => ({
    method: 'PATCH',
    path: SETTINGS + query({ dry_run: dryRun, reason }),
    body: patch,
    ifMatch: etag,
    cli: ['settings', 'set', ...Object.entries(patch).map(([name, value]) => `${name}=${shellValue(value)}`), '--if-match', etag, ...(dryRun ? ['--dry-run'] : []), ...reasoned(reason)],
  }),
  undo: (seq: number, reason: string, { dryRun = false, force = false } = {}): Call => ({
    method: 'POST',
    path: `${SETTINGS}/history/${seq}/undo` + query({ dry_run: dryRun, force }),
    body: { reason },
    cli: ['settings', 'undo', String(seq), ...(dryRun ? ['--dry-run'] : []), ...(force ? ['--force'] : []), ...reasoned(reason)],
  }),
  savePreset: (name: string, values: Record<string, Value>, note: string): Call => ({
    method: 'PUT',
    path: `${SETTINGS}/presets/${encodeURIComponent(name)}`,
    body: { values, note },
    cli: ['settings', 'preset', 'save', name, ...Object.entries(values).map(([field, value]) => `${field}=${shellValue(value)}`), ...(note === '' ? [] : ['--note', note])],
  }),
  applyPreset: (name: string, etag: string, reason: string, dryRun = false): Call => ({
    method: 'POST',
    path: `${SETTINGS}/presets/${encodeURIComponent(name)}/apply` + query({ dry_run: dryRun, reason }),
    ifMatch: etag,
    cli: ['settings', 'preset', 'apply', name, ...(dryRun ? ['--dry-run'] : []), ...reasoned(reason)],
  }),
  deletePreset: (name: string): Call => ({ method: 'DELETE', path: `${SETTINGS}/presets/${encodeURIComponent(name)}`, cli: ['settings', 'preset', 'delete', name] }),
};

/** The draft as text, and back; what is no draft is none. */
export function stored(draft: Draft): string {
  return JSON.stringify(draft);
}

export function restored(text: string | null): Draft {
  if (text === null) return EMPTY_DRAFT;
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value) && isObject(value['typed']) && isObject(value['base']) && typeof value['base']['etag'] === 'string' && isObject(value['base']['values'])) {
      const isTyped = (one: unknown): one is Typed => one === null || typeof one === 'boolean' || typeof one === 'string';
      const isValue = (one: unknown): one is Value => isTyped(one) || typeof one === 'number';
      const typed = Object.fromEntries(Object.entries(value['typed']).filter((entry): entry is [string, Typed] => isTyped(entry[1])));
      const values = Object.fromEntries(Object.entries(value['base']['values']).filter((entry): entry is [string, Value] => isValue(entry[1])));
      return Object.keys(typed).length === 0 ? EMPTY_DRAFT : { base: { etag: value['base']['etag'], values }, typed };
    }
  } catch {
    // Not ours, or of another version of this page.
  }
  return EMPTY_DRAFT;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether the host said no because somebody was faster. */
export function isStale(problem: Problem): boolean {
  return problem.status === 412;
}
