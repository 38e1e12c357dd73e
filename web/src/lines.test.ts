import { expect, test } from 'vitest';
import { exact } from './api';
import { LineReader } from './lines';

const bytes = (text: string) => new TextEncoder().encode(text);

test('lines are values, however the bytes were cut', () => {
  const whole = bytes('{"a":"ü€😀"}\n{"b":[1,2]}\n\n{"c":null}');
  for (let step = 1; step <= whole.length; step += 1) {
    const reader = new LineReader();
    const found: unknown[] = [];
    for (let at = 0; at < whole.length; at += step) found.push(...reader.take(whole.subarray(at, at + step)));
    found.push(...reader.end());
    expect(found).toEqual([{ a: 'ü€😀' }, { b: [1, 2] }, { c: null }]);
  }
});

test('a value is told as soon as its line is over, not before', () => {
  const reader = new LineReader();
  expect(reader.take(bytes('{"progress":{"done":1'))).toEqual([]);
  expect(reader.take(bytes(',"total":2}}\n{"rep'))).toEqual([{ progress: { done: 1, total: 2 } }]);
});

test('an answer that was cut off is an error, not half an answer', () => {
  const reader = new LineReader();
  expect(reader.take(bytes('{"report":{"same"'))).toEqual([]);
  expect(() => reader.end()).toThrow();
  expect(() => new LineReader().take(bytes('no json\n'))).toThrow();
});

test('nothing at all has no lines', () => {
  const reader = new LineReader();
  expect([...reader.take(bytes('')), ...reader.end()]).toEqual([]);
});

test('whole numbers that would be rounded keep their digits', () => {
  // Where the engine hands a reviver the source text; others round, as they do everywhere.
  const [value] = new LineReader(exact).take(bytes('{"seed":18446744073709551615}\n'));
  expect(['{"seed":"18446744073709551615"}', '{"seed":18446744073709552000}']).toContain(JSON.stringify(value));
});
