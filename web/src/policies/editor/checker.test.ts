import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Checker } from './checker.svelte';

const asked: { text: string; signal: AbortSignal; answer(ok: boolean): void }[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  asked.length = 0;
  vi.stubGlobal('fetch', (_path: string, init: RequestInit) => {
    const { text } = JSON.parse(String(init.body)) as { text: string };
    return new Promise<Response>((resolve, reject) => {
      init.signal!.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
      asked.push({ text, signal: init.signal!, answer: (ok) => resolve(new Response(JSON.stringify({ ok, kind: null, policy: text, digest: null, summary: null, settings: [], problem: null }))) });
    });
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('only the text after which somebody paused is asked about', async () => {
  const checker = new Checker(100);
  checker.soon({ file: 'a.rhai', text: 'one' });
  await vi.advanceTimersByTimeAsync(60);
  checker.soon({ file: 'a.rhai', text: 'two' });
  await vi.advanceTimersByTimeAsync(60);
  expect(asked).toHaveLength(0);
  await vi.advanceTimersByTimeAsync(60);
  expect(asked.map((one) => one.text)).toEqual(['two']);
  asked[0]!.answer(true);
  await vi.advanceTimersByTimeAsync(0);
  expect(checker.of(JSON.stringify({ file: 'a.rhai', text: 'two' }))?.policy).toBe('two');
  expect(checker.of(JSON.stringify({ file: 'a.rhai', text: 'two!' }))).toBe(null);
});

test('an answer about an older text is not shown', async () => {
  const checker = new Checker(100);
  checker.soon({ file: 'a.rhai', text: 'one' });
  await vi.advanceTimersByTimeAsync(100);
  checker.soon({ file: 'a.rhai', text: 'two' });
  expect([asked[0]!.signal.aborted, checker.said]).toEqual([true, null]);
  asked[0]!.answer(false);
  await vi.advanceTimersByTimeAsync(100);
  asked[1]!.answer(true);
  await vi.advanceTimersByTimeAsync(0);
  expect([checker.said?.ok, checker.said?.policy, checker.trouble]).toEqual([true, 'two', null]);
});

test('at once where somebody asks for it, and then not again', async () => {
  const checker = new Checker(100);
  checker.soon({ file: 'a.rhai', text: 'one' });
  void checker.now();
  await vi.advanceTimersByTimeAsync(500);
  expect(asked).toHaveLength(1);
});
