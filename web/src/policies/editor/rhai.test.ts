import { expect, test } from 'vitest';
import { startState, token, type Line, type State } from './rhai';

/** A line as the editor hands it over. */
function stream(text: string): Line & { begin(): void } {
  let [from, at] = [0, 0];
  return {
    begin: () => void (from = at),
    match(pattern) {
      const found = pattern.exec(text.slice(at));
      if (found === null || found.index > 0) return null;
      at += found[0].length;
      return found;
    },
    next: () => text[at++],
    peek: () => text[at],
    eol: () => at >= text.length,
    eatSpace() {
      const before = at;
      while (/\s/.test(text[at] ?? '')) at += 1;
      return at > before;
    },
    skipToEnd: () => void (at = text.length),
    current: () => text.slice(from, at),
  };
}

function words(text: string, state: State = startState()): [string, string][] {
  const found: [string, string][] = [];
  for (const one of text.split('\n')) {
    const line = stream(one);
    for (let guard = 0; !line.eol(); guard += 1) {
      if (guard > 500) throw new Error(`stuck in ${one}`);
      line.begin();
      const name = token(line, state);
      if (name !== null) found.push([line.current(), name]);
    }
  }
  return found;
}

test('keywords, calls, fields and definitions', () => {
  expect(words('fn decide(ctx) { let x = min(ctx.budget_left, 2.5e3); x.push(1) }').filter(([, name]) => name !== 'bracket' && name !== 'operator')).toEqual([
    ['fn', 'keyword'],
    ['decide', 'definition'],
    ['ctx', 'variableName'],
    ['let', 'keyword'],
    ['x', 'variableName'],
    ['min', 'function'],
    ['ctx', 'variableName'],
    ['budget_left', 'propertyName'],
    ['2.5e3', 'number'],
    ['x', 'variableName'],
    ['push', 'function'],
    ['1', 'number'],
  ]);
});

test('names in a map are fields, and a range is no number', () => {
  expect(words('#{ code: true }').map(([, name]) => name)).toEqual(['bracket', 'propertyName', 'bool', 'bracket']);
  expect(words('0..10').map(([word]) => word)).toEqual(['0', '..', '10']);
});

test('comments go over lines and into one another', () => {
  expect(words('a /* one /* two */\nstill */ b // c').map(([word, name]) => [word.trim(), name])).toEqual([
    ['a', 'variableName'],
    ['/* one /* two */', 'comment'],
    ['still */', 'comment'],
    ['b', 'variableName'],
    ['// c', 'comment'],
  ]);
});

test('a text between backticks has holes, and holes have braces of their own', () => {
  expect(words('`again in ${fixed(#{ a: x }.a, 1)} s` + y').map(([word, name]) => `${word} ${name}`)).toEqual([
    '`again in ${ string',
    'fixed function',
    '( bracket',
    '#{ bracket',
    'a propertyName',
    'x variableName',
    '} bracket',
    '. operator',
    'a propertyName',
    '1 number',
    ') bracket',
    '} string',
    ' s` string',
    '+ operator',
    'y variableName',
  ]);
});

test('what is open is counted for indenting', () => {
  const state = startState();
  words('fn a() {\n  [1, (2', state);
  expect(state.depth).toBe(3);
  words(')]\n}', state);
  expect(state.depth).toBe(0);
  words('}}', state);
  expect(state.depth).toBe(0);
});
