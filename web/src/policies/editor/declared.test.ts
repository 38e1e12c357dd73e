import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { declaredSettings, said } from './declared';

const shipped = (name: string) => readFileSync(new URL(`../../../../policies/${name}.rhai`, import.meta.url), 'utf8');

test.each(['retry', 'source-selection', 'curriculum'])('the shipped %s script is read as it describes itself', (kind) => {
  const script = shipped(kind);
  expect(said(script, 'kind')).toBe(kind);
  expect(said(script, 'version')).toMatch(/^[0-9]+\.[0-9]+\.[0-9]+$/);
  const settings = declaredSettings(script);
  expect(settings.length).toBeGreaterThan(4);
  expect(settings.every((one) => one.help.endsWith('.') && one.value === one.default)).toBe(true);
});

test('each kind of value, bounds where there are some, and nothing from outside of the list', () => {
  const script = `
    // settings: [#{ name: "no", default: 1 }]
    fn describe() { #{ name: "a }] b", version: "1.0.0", kind: "retry", settings: [
      #{ name: "wait_s", default: 1_000.5, minimum: -2, maximum: 1e3, help: "It says \\"so\\" [here]." },
      /* #{ name: "gone", default: 1 }, */
      #{ name: "once", default: false },
      #{ name: "label", default: "x // y" },
      #{ name: "worked_out", default: max(1, 2) },
    ] } }
    fn decide(ctx) { let later = #{ name: "later", default: 1 }; }`;
  expect(said(script, 'name')).toBe('a }] b');
  expect(declaredSettings(script)).toEqual([
    { name: 'wait_s', help: 'It says "so" [here].', value: 1000.5, default: 1000.5, minimum: -2, maximum: 1000 },
    { name: 'once', help: '', value: false, default: false, minimum: null, maximum: null },
    { name: 'label', help: '', value: 'x // y', default: 'x // y', minimum: null, maximum: null },
  ]);
});

test('a text that is half typed has no settings, and hurts nothing', () => {
  for (const script of ['', 'fn describe() {', 'fn describe() { #{ settings: [', 'fn describe() { #{ settings: [ #{ name: "x', 'fn decide(ctx) {}']) expect(declaredSettings(script)).toEqual([]);
});
