import { expect, test } from 'vitest';
import { applyPatch, PatchError, type Operation } from './patch';

// The last column is the document after the patch, or the part of the message that tells why there is none.
const cases: [string, unknown, Operation[], unknown][] = [
  ['adds a member', { a: 1 }, [{ op: 'add', path: '/b', value: [2] }], { a: 1, b: [2] }],
  ['adds in front of a list', [1, 2], [{ op: 'add', path: '/0', value: 0 }], [0, 1, 2]],
  ['adds at the end of a list', [1], [{ op: 'add', path: '/-', value: 2 }], [1, 2]],
  ['adds at the place after the last', [1], [{ op: 'add', path: '/1', value: 2 }], [1, 2]],
  ['replaces deep inside', { a: [{ b: 1 }, 2] }, [{ op: 'replace', path: '/a/0/b', value: 9 }], { a: [{ b: 9 }, 2] }],
  ['replaces the whole', { a: 1 }, [{ op: 'replace', path: '', value: 5 }], 5],
  ['replaces a null', { a: null }, [{ op: 'replace', path: '/a', value: {} }], { a: {} }],
  ['removes a member and a place', { a: 1, b: [1, 2, 3] }, [{ op: 'remove', path: '/a' }, { op: 'remove', path: '/b/1' }], { b: [1, 3] }],
  ['moves', { a: [1, 2], b: {} }, [{ op: 'move', from: '/a/0', path: '/b/c' }], { a: [2], b: { c: 1 } }],
  ['copies', { a: [1] }, [{ op: 'copy', from: '/a', path: '/b' }], { a: [1], b: [1] }],
  ['tests by value', { a: { x: 1, y: [2] } }, [{ op: 'test', path: '/a', value: { y: [2], x: 1 } }], { a: { x: 1, y: [2] } }],
  ['reads ~0 and ~1 in names', { 'a/b': 1, 'c~d': 2 }, [{ op: 'remove', path: '/a~1b' }, { op: 'replace', path: '/c~0d', value: 3 }], { 'c~d': 3 }],
  ['refuses a test that fails', { a: 1 }, [{ op: 'test', path: '/a', value: '1' }], 'test failed'],
  ['refuses a list for an object', { a: [] }, [{ op: 'test', path: '/a', value: {} }], 'test failed'],
  ['refuses a missing member', { a: 1 }, [{ op: 'replace', path: '/b', value: 1 }], 'there is no b'],
  ['refuses a place beyond the list', [1], [{ op: 'add', path: '/2', value: 1 }], 'no such place'],
  ['refuses a place with a leading zero', [1, 2], [{ op: 'remove', path: '/01' }], 'no such place'],
  ['refuses a way through a number', { a: 1 }, [{ op: 'add', path: '/a/b', value: 1 }], 'no members'],
  ['refuses what every object inherits', {}, [{ op: 'replace', path: '/toString', value: 1 }], 'there is no toString'],
  ['refuses a way into the prototype', {}, [{ op: 'add', path: '/__proto__/polluted', value: 1 }], 'there is no __proto__'],
  ['refuses an unknown operation', {}, [{ op: 'spin', path: '' }], 'unknown operation'],
];

test.each(cases)('%s', (_, before, patch, after) => {
  const untouched = JSON.stringify(before);
  if (typeof after === 'string') expect(() => applyPatch(before, patch)).toThrow(PatchError);
  if (typeof after === 'string') expect(() => applyPatch(before, patch)).toThrow(after);
  else expect(applyPatch(before, patch)).toEqual(after);
  expect(JSON.stringify(before)).toBe(untouched);
});

test('what a patch does not touch keeps its identity', () => {
  const before = { jobs: [{ id: 2 }, { id: 1 }], policies: [{ kind: 'retry' }] };
  const after = applyPatch(before, [{ op: 'replace', path: '/jobs/0/id', value: 3 }]) as typeof before;
  expect(after.policies).toBe(before.policies);
  expect(after.jobs[1]).toBe(before.jobs[1]);
  expect(after.jobs).not.toBe(before.jobs);
});
