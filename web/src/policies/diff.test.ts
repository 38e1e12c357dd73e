import { expect, test } from 'vitest';
import { diffCounts, diffRows } from './diff';

const UNIFIED = `--- backoff@1.0.0 (0a)
+++ backoff@1.1.0 (0b)
@@ -5,3 +5,4 @@
 fn decide(ctx) {
-    old(ctx);
+    new(ctx);
+--- not a header
 }
\\ No newline at end of file
`;

test('each row has the line numbers of the sides it is on', () => {
  expect(diffRows(UNIFIED).map(({ kind, before, after, text }) => [kind, before, after, text])).toEqual([
    ['hunk', null, null, '@@ -5,3 +5,4 @@'],
    ['same', 5, 5, 'fn decide(ctx) {'],
    ['removed', 6, null, '    old(ctx);'],
    ['added', null, 6, '    new(ctx);'],
    ['added', null, 7, '--- not a header'],
    ['same', 7, 8, '}'],
    ['note', null, null, 'No newline at end of file'],
  ]);
  expect(diffCounts(diffRows(UNIFIED))).toEqual({ added: 2, removed: 1 });
});

test('a removed line that looks like a header is a line', () => {
  expect(diffRows('--- a\n+++ b\n@@ -1 +1 @@\n--- x\n+++ y\n').map((row) => row.kind)).toEqual(['hunk', 'removed', 'added']);
});

test('nothing has no rows', () => {
  expect(diffRows('')).toEqual([]);
});
