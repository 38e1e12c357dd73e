import { afterEach, expect, test, vi } from 'vitest';
import { replayFactory } from '../testing/factories';
import type { ReplayLine } from '../wire';
import { Asking } from './asking.svelte';
import { dryRunFound, type DryRunFound } from './dryRun';

/** A host whose answers are written by hand. */
function host() {
  const asked: { body: unknown; signal: AbortSignal; line(line: ReplayLine): void; end(): void }[] = [];
  vi.stubGlobal('fetch', (_path: string, init: RequestInit) => {
    const signal = init.signal!;
    let out: ReadableStreamDefaultController<Uint8Array>;
    const stream = new ReadableStream<Uint8Array>({ start: (controller) => void (out = controller) });
    signal.addEventListener('abort', () => out.error(new DOMException('aborted', 'AbortError')));
    asked.push({ body: JSON.parse(String(init.body)), signal, line: (line) => out.enqueue(new TextEncoder().encode(JSON.stringify(line) + '\n')), end: () => out.close() });
    return Promise.resolve(new Response(stream, { headers: { 'content-type': 'application/x-ndjson' } }));
  });
  return asked;
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

afterEach(() => vi.unstubAllGlobals());

test('progress, then the report', async () => {
  const asked = host();
  const runner = new Asking<DryRunFound>('/api/v1/policies/dry-run', dryRunFound);
  const over = runner.run({ policy: { stored: 'ab' }, last: 100 });
  await settled();
  expect(asked[0]!.body).toEqual({ policy: { stored: 'ab' }, last: 100 });
  asked[0]!.line({ progress: { done: 40, total: 100 } });
  await settled();
  expect([runner.running, runner.progress]).toEqual([true, { done: 40, total: 100 }]);
  asked[0]!.line({ report: replayFactory.same(100) });
  asked[0]!.end();
  await over;
  expect([runner.running, runner.progress, runner.found?.report.replayed, runner.problem]).toEqual([false, null, 100, null]);
});

test('a newer run ends the older one, and an answer to the older is not shown', async () => {
  const asked = host();
  const runner = new Asking<DryRunFound>('/api/v1/policies/dry-run', dryRunFound);
  const first = runner.run({ policy: { stored: 'aa' } });
  await settled();
  const second = runner.run({ policy: { stored: 'bb' } });
  await first;
  expect([asked[0]!.signal.aborted, runner.running, runner.problem]).toEqual([true, true, null]);
  await settled();
  asked[1]!.line({ report: replayFactory.same(2) });
  asked[1]!.end();
  await second;
  expect(runner.found?.report.replayed).toBe(2);
});

test('cancelled by hand it says so, and keeps what was there before', async () => {
  const asked = host();
  const runner = new Asking<DryRunFound>('/api/v1/policies/dry-run', dryRunFound);
  const before = runner.run({ policy: { stored: 'aa' } });
  await settled();
  asked[0]!.line({ report: replayFactory.same(7) });
  asked[0]!.end();
  await before;
  const over = runner.run({ policy: { stored: 'aa' } });
  await settled();
  runner.cancel();
  await over;
  expect([asked[1]!.signal.aborted, runner.running, runner.cancelled, runner.found?.report.replayed, runner.problem]).toEqual([true, false, true, 7, null]);
});

test('a problem in the answer, or an answer that was cut off, is a problem', async () => {
  const asked = host();
  const runner = new Asking<DryRunFound>('/api/v1/policies/dry-run', dryRunFound);
  const over = runner.run({ policy: { stored: 'aa' } });
  await settled();
  asked[0]!.line({ problem: { type: '', title: 'No', status: 404, detail: '', code: 'no_such_decision', errors: [], fix: null } });
  asked[0]!.end();
  await over;
  expect(runner.problem?.code).toBe('no_such_decision');
  vi.stubGlobal('fetch', () => Promise.resolve(new Response('{"progress":{"do')));
  await runner.run({ policy: { stored: 'aa' } });
  expect([runner.problem?.code, runner.running]).toEqual(['cut-off', false]);
  vi.stubGlobal('fetch', () => Promise.resolve(new Response('{"progress":{"done":1,"total":2}}\n')));
  await runner.run({ policy: { stored: 'aa' } });
  expect(runner.problem?.code).toBe('no-report');
});
