/** What the editor begins with: a version on record, the active one, the latest script of the kind, or a first draft. */

import { read, readBytes } from '../../api';
import type { Problem, VersionDetail, VersionList } from '../../wire';
import { codePath } from '../actions.svelte';
import { named } from '../model';
import { draftOf, type Draft as Typed } from '../settings';

export type Start = {
  file: string;
  text: string;
  /** Digest of the version, or empty. */
  from: string;
  /** What it is, in words. */
  what: string;
  settings: Typed;
};

/** The first drafts that `pointsman policy new` begins with, too. */
const TEMPLATES = import.meta.glob<string>('../../../../plugins/templates/rhai/kinds/*.rhai', { query: '?raw', import: 'default' });

export async function startOf(kind: string, digest: string): Promise<{ ok: true; start: Start } | { ok: false; problem: Problem }> {
  if (digest !== '') return version(digest);
  const list = await read<VersionList>(`/api/v1/policies/versions?kind=${encodeURIComponent(kind)}`);
  if (!list.ok) return list;
  const scripts = list.value.versions.filter((row) => row.engine === 'rhai');
  const best = scripts.find((row) => row.active) ?? scripts[0];
  return best === undefined ? { ok: true, start: await template(kind) } : version(best.digest);
}

async function version(digest: string): Promise<{ ok: true; start: Start } | { ok: false; problem: Problem }> {
  const [detail, code] = await Promise.all([read<VersionDetail>(`/api/v1/policies/versions/${encodeURIComponent(digest)}`), readBytes(codePath(digest))]);
  if (!detail.ok) return detail;
  if (!code.ok) return code;
  const { row, settings } = detail.value;
  if (row.engine !== 'rhai') return { ok: false, problem: { ...NO_SCRIPT, detail: `${named(row)} is a ${row.engine}: only scripts can be written here.` } };
  // What has its default is left to the script, so that another default in the text counts.
  const other = settings.filter((one) => one.value !== one.default);
  return { ok: true, start: { file: `${row.name}.rhai`, text: new TextDecoder().decode(code.value), from: row.digest, what: named(row), settings: draftOf(other) } };
}

export async function template(kind: string): Promise<Start> {
  const load = Object.entries(TEMPLATES).find(([path]) => path.endsWith(`/${kind}.rhai`))?.[1];
  const name = `my-${kind}`;
  const text = load === undefined ? `fn describe() {\n    #{ name: "${name}", version: "0.1.0", kind: "${kind}" }\n}\n\nfn decide(ctx) {\n}\n` : (await load()).replaceAll('{{name}}', name);
  return { file: `${name}.rhai`, text, from: '', what: 'a first draft', settings: {} };
}

const NO_SCRIPT: Problem = { type: 'about:blank', title: 'This version is no script', status: 0, detail: '', code: 'no-script', errors: [], fix: 'Begin with a first draft, or with another version' };
