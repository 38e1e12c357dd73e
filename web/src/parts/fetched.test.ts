import { expect, test, vi } from 'vitest';
import type { Result } from '../api';
import { Fetched } from './fetched.svelte';

const PROBLEM = { type: 'about:blank', title: '', status: 0, detail: '', code: 'unreachable', errors: [], fix: null };

test('what was received stays when the host is away', async () => {
  const answers: Result<number>[] = [{ ok: true, value: 0 }, { ok: false, problem: PROBLEM }];
  const fetched = new Fetched<number>(async () => answers.shift()!);
  expect(fetched.value).toBeNull();
  await fetched.reload();
  expect(fetched.value).toBe(0);
  await fetched.reload();
  expect(fetched.value).toBe(0);
  expect(fetched.problem?.code).toBe('unreachable');
});

test('an answer that was overtaken is not shown', async () => {
  const waiting: ((value: Result<string>) => void)[] = [];
  const fetched = new Fetched<string>(() => new Promise((resolve) => waiting.push(resolve)));
  const first = fetched.reload();
  const second = fetched.reload();
  waiting[1]!({ ok: true, value: 'new' });
  waiting[0]!({ ok: true, value: 'old' });
  await Promise.all([first, second]);
  expect(fetched.value).toBe('new');
});

test('another address begins with nothing', async () => {
  vi.stubGlobal('document', { hidden: true });
  const fetched = new Fetched<string>(async (path) => ({ ok: true, value: path }));
  const stop = fetched.follow('/a');
  await vi.waitFor(() => expect(fetched.value).toBe('/a'));
  stop();
  const stopAgain = fetched.follow('/b');
  expect(fetched.value).toBeNull();
  await vi.waitFor(() => expect(fetched.value).toBe('/b'));
  stopAgain();
  vi.unstubAllGlobals();
});
