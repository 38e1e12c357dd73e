import { expect, test } from 'vitest';
import { asCli, asCurl, callLine, calls, query } from './call';

const ORIGIN = 'http://127.0.0.1:8420';

test('a read is curl and the address', () => {
  expect(asCurl({ method: 'GET', path: '/api/v1/snapshot' }, ORIGIN)).toBe('curl http://127.0.0.1:8420/api/v1/snapshot');
});

test('a change names its method, its tag and its body, each one word of a shell', () => {
  const call = { method: 'PATCH', path: '/api/v1/settings?reason=a+b', body: { note: "it's" }, ifMatch: '"ab12"' } as const;
  expect(asCurl(call, ORIGIN)).toBe(
    `curl -X PATCH -H 'If-Match: "ab12"' -H 'Content-Type: application/json' -d '{"note":"it'\\''s"}' 'http://127.0.0.1:8420/api/v1/settings?reason=a+b'`,
  );
});

test('the program is told where the host is only where it would not find it', () => {
  const call = calls.training(false, 'night shift');
  expect(asCli(call, ORIGIN)).toBe("pointsman train stop --reason 'night shift'");
  expect(asCli(call, 'http://127.0.0.1:9000')).toBe("pointsman --url http://127.0.0.1:9000 train stop --reason 'night shift'");
  expect(asCli({ method: 'GET', path: '/' }, ORIGIN)).toBeNull();
});

test('no reason, no word for it', () => {
  expect(asCli(calls.decideHeld('m-3', true, ''), ORIGIN)).toBe('pointsman models approve m-3');
  expect(callLine(calls.decideHeld('m-3', false, ''))).toBe('POST /api/v1/models/m-3/reject');
});

test('a word on a held candidate names what was seen, so that a late click does nothing', () => {
  const call = calls.decideHeld('m-3', true, 'reads well', { seen: 41, despiteGuards: true });
  expect(callLine(call)).toBe('POST /api/v1/promotion/approve');
  expect(call.body).toEqual({ candidate: 'm-3', decision: 41, despite_guards: true, reason: 'reads well' });
  expect(asCli(call, ORIGIN)).toBe("pointsman promotion approve m-3 --decision 41 --despite-guards --reason 'reads well'");
});

test('a query leaves out what is not asked for', () => {
  expect(query({ dry_run: true, reason: '', force: false, cursor: undefined, limit: 5 })).toBe('?dry_run=true&limit=5');
  expect(query({ reason: '' })).toBe('');
});
