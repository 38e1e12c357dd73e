/** What an editor offers at a place of a script, from what the host says that a script of this kind may name. */

import type { Definitions } from '../../wire';
import { declaredSettings } from './declared';
import { KEYWORDS } from './rhai';

export type Offered = { label: string; detail: string; info: string; type: 'function' | 'property' | 'keyword' | 'variable' };
export type Completion = { from: number; options: Offered[] };

/** Lists of a context, and what their items are. */
const ITEMS: Record<string, string> = { candidates: 'candidate', host_loads: 'host_load', pairs: 'pair', guardrails: 'guardrail', skills: 'skill' };
const CONTEXT = ['ctx', 'context'];

/** What stands before a point: a name, perhaps with an index; or nothing that has a name. */
const OWNER = /(?:([A-Za-z_][A-Za-z0-9_]*)(?:\[(?:[^[\]\n]|\[[^\]\n]*\])*\])?)?\s*\??\.$/;

/** None where nothing should be offered: in comments, in texts, and while nothing is typed yet, unless it is asked for. */
export function complete(script: string, at: number, definitions: Definitions | null, asked: boolean): Completion | null {
  const before = script.slice(0, at);
  if (notCode(before.slice(before.lastIndexOf('\n') + 1))) return null;
  const typed = /[A-Za-z_][A-Za-z0-9_]*$/.exec(before)?.[0] ?? '';
  const from = at - typed.length;
  const owner = OWNER.exec(before.slice(0, from));
  if (owner === null && typed === '' && !asked) return null;
  // Neither a number with a point nor a range has fields.
  if (/(?:\b[0-9]+|\.)\.$/.test(before.slice(0, from))) return null;
  const options = owner === null ? names(script, typed, definitions) : fields(script, owner[1] ?? '', /\]\s*\??\.$/.test(owner[0]), definitions);
  return options.length === 0 ? null : { from, options };
}

function fields(script: string, owner: string, indexed: boolean, definitions: Definitions | null): Offered[] {
  const of = (place: string, wanted: (word: string) => boolean) => offered(definitions, wanted, place);
  if (owner === 'settings') return declaredSettings(script).map(({ name, help, default: standard }) => ({ label: name, detail: `setting, default ${String(standard)}`, info: help, type: 'property' }));
  if (owner === 'ctx') return of('of the context', (place) => CONTEXT.includes(place));
  const place = owner === 'failures' ? 'failures' : indexed ? ITEMS[owner] : itemOf(script, owner);
  if (place !== undefined) return of(`of a ${place.replaceAll('_', ' ')}`, (word) => word === place);
  // Of something unknown: the fields of all items, and what can be called on it.
  return [...of('field', (word) => word !== 'function' && word !== 'answer' && !CONTEXT.includes(word)), ...of('', (word) => word === 'function')];
}

/** `for c in ctx.candidates`, `for (c, at) in ctx.candidates`, `let best = ctx.candidates[0]`: then `c` and `best` are candidates. */
function itemOf(script: string, owner: string): string | undefined {
  const loops = new RegExp(`\\bfor\\s+(?:${owner}|\\(\\s*${owner}\\s*,[^)]*\\))\\s+in\\s+(?:[A-Za-z_]+\\.)?([a-z_]+)`).exec(script)?.[1];
  const lets = new RegExp(`\\blet\\s+${owner}\\s*=\\s*(?:[A-Za-z_]+\\.)?([a-z_]+)\\s*\\[`).exec(script)?.[1];
  return ITEMS[loops ?? lets ?? ''];
}

function names(script: string, typed: string, definitions: Definitions | null): Offered[] {
  const known = [
    ...offered(definitions, (place) => place === 'function', ''),
    ...offered(definitions, (place) => place === 'answer', 'of the answer'),
    ...KEYWORDS.map((label): Offered => ({ label, detail: '', info: '', type: 'keyword' })),
  ];
  const taken = new Set(known.map((one) => one.label));
  const own = new Set([...script.matchAll(/\b[A-Za-z_][A-Za-z0-9_]{2,}\b/g)].map(([word]) => word).filter((word) => !taken.has(word) && word !== typed));
  return [{ label: 'ctx', detail: 'the question', info: '', type: 'variable' }, ...known, ...[...own].filter((word) => word !== 'ctx').map((label): Offered => ({ label, detail: 'in this script', info: '', type: 'variable' }))];
}

function offered(definitions: Definitions | null, wanted: (place: string) => boolean, detail: string): Offered[] {
  return (definitions?.entries ?? [])
    .filter((entry) => wanted(entry.place))
    .map(({ name, signatures }) => ({ label: name, detail: detail || (signatures[0]?.slice(name.length) ?? ''), info: signatures.length > 1 || detail !== '' ? signatures.join('\n') : '', type: signatures.length > 0 ? 'function' : 'property' }));
}

/** Whether a line ends in a comment or in a text. */
function notCode(line: string): boolean {
  const plain = line.replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g, ' ');
  if (/\/\//.test(plain) || /"/.test(plain)) return true;
  const ticks = plain.split('`');
  // An odd number of backticks: in a text, unless a hole is open.
  return ticks.length % 2 === 0 && !/\$\{[^}]*$/.test(ticks.at(-1) ?? '');
}
