import { expect, test } from 'vitest';
import type { Definitions } from '../../wire';
import { complete } from './complete';

const DEFINITIONS: Definitions = {
  kind: 'source-selection',
  entries: [
    { place: 'ctx', name: 'candidates', signatures: [] },
    { place: 'ctx', name: 'free', signatures: [] },
    { place: 'candidate', name: 'age_s', signatures: [] },
    { place: 'host_load', name: 'running', signatures: [] },
    { place: 'failures', name: 'infra', signatures: [] },
    { place: 'answer', name: 'verdict', signatures: [] },
    { place: 'function', name: 'min', signatures: ['min(x: int, y: int) -> int', 'min(x: float, y: float) -> float'] },
    { place: 'function', name: 'push', signatures: ['push(list: list, item: any)'] },
  ],
};

/** Completes at the `|`. */
function at(marked: string, asked = false): string[] | null {
  const place = marked.indexOf('|');
  return complete(marked.replace('|', ''), place, DEFINITIONS, asked)?.options.map((one) => one.label) ?? null;
}

test('after ctx. stand the fields of the context', () => {
  expect(at('ctx.|')).toEqual(['candidates', 'free']);
  expect(complete('let x = ctx.ca', 14, DEFINITIONS, false)?.from).toBe(12);
});

test('what a loop goes over says what its items have', () => {
  expect(at('for c in ctx.candidates { c.|')).toEqual(['age_s']);
  expect(at('for (load, at) in ctx.host_loads { load.| }')).toEqual(['running']);
  expect(at('let best = ctx.candidates[0]; best.|')).toEqual(['age_s']);
  expect(at('ctx.candidates[picks[0]].|')).toEqual(['age_s']);
  expect(at('best_of(ctx).|')).toEqual(['age_s', 'running', 'infra', 'min', 'push']);
  expect(at('ctx.candidates[0].|')).toEqual(['age_s']);
  expect(at('c.failures.|')).toEqual(['infra']);
});

test('settings are those that the script declares', () => {
  expect(at('fn describe() { #{ settings: [#{ name: "wait_s", default: 1.0, help: "How long." }] } }\nfn decide(ctx) { ctx.settings.|')).toEqual(['wait_s']);
});

test('elsewhere: functions, parts of an answer, keywords and what the script names itself', () => {
  const offered = at('fn best_of(list) { 1 }\nb|') ?? [];
  for (const name of ['min', 'verdict', 'let', 'best_of', 'ctx']) expect(offered).toContain(name);
  expect(offered).not.toContain('age_s');
  expect(new Set(offered).size).toBe(offered.length);
});

test('nothing in comments, texts and numbers, and nothing unasked where nothing is typed', () => {
  expect([at('// mi|'), at('"mi|'), at('`mi|'), at('let x = 1.|'), at('0..|', true), at('let x = |')]).toEqual([null, null, null, null, null, null]);
  expect(at('`it is ${mi|')).toContain('min');
  expect(at('let x = |', true)).toContain('min');
  expect(at('"done"; mi|')).toContain('min');
});

test('a function tells its forms', () => {
  expect(complete('mi', 2, DEFINITIONS, false)?.options.find((one) => one.label === 'min')).toMatchObject({ detail: '(x: int, y: int) -> int', info: 'min(x: int, y: int) -> int\nmin(x: float, y: float) -> float', type: 'function' });
});
