import { expect, test } from 'vitest';
import { keyHandler } from './keys';

function keyboard() {
  const done: string[] = [];
  let time = 0;
  const handle = keyHandler({ go: (hash) => done.push(hash), search: () => done.push('search'), theme: () => done.push('theme'), help: () => done.push('help'), palette: () => done.push('palette') }, () => time);
  const press = (key: string, change: Partial<KeyboardEvent> = {}) =>
    // Only these members are read.
    handle({ key, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, defaultPrevented: false, target: null, preventDefault() {}, ...change } as KeyboardEvent);
  return { done, press, wait: (ms: number) => (time += ms) };
}

// There is no Element outside a browser; nothing here comes from one.
Object.assign(globalThis, { Element: class {} });

test('g waits for a letter, not for long, and not for a wrong one', () => {
  const { done, press, wait } = keyboard();
  press('g');
  press('j');
  press('j');
  press('g');
  wait(2_000);
  press('o');
  press('g');
  press('x');
  press('o');
  expect(done).toEqual(['#/jobs']);
});

test('single keys, and never with a modifier', () => {
  const { done, press } = keyboard();
  press('?');
  press('/');
  press('t');
  press('t', { ctrlKey: true });
  press('/', { metaKey: true });
  expect(done).toEqual(['help', 'search', 'theme']);
});

test('Ctrl or Cmd with K opens the palette, with nothing else held', () => {
  const { done, press } = keyboard();
  press('k', { ctrlKey: true });
  press('K', { metaKey: true });
  press('k', { ctrlKey: true, altKey: true });
  press('k', { ctrlKey: true, defaultPrevented: true });
  press('k');
  expect(done).toEqual(['palette', 'palette']);
});

test('after g, a letter leads to each page', () => {
  const { done, press } = keyboard();
  for (const letter of 'ojdpmlsi') {
    press('g');
    press(letter);
  }
  expect(done).toEqual(['#/', '#/jobs', '#/decisions', '#/policies', '#/promotion', '#/relay', '#/settings', '#/diagnostics']);
});

test('j, k and x move in a list where there is one, and j after g does not', () => {
  const moves: string[] = [];
  const done: string[] = [];
  let has = true;
  const handle = keyHandler({ go: (hash) => done.push(hash), search() {}, theme() {}, help() {}, palette() {}, list: (move) => (moves.push(move), has) }, () => 0);
  let taken = 0;
  const press = (key: string) => handle({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, defaultPrevented: false, target: null, preventDefault: () => (taken += 1) } as unknown as KeyboardEvent);
  for (const key of ['j', 'k', 'x']) press(key);
  expect([moves, taken]).toEqual([['next', 'previous', 'choose'], 3]);
  press('g');
  press('j');
  expect([moves.length, done]).toEqual([3, ['#/jobs']]);
  has = false;
  taken = 0;
  press('x');
  expect(taken).toBe(0);
});
