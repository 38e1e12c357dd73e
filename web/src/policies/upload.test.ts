import { expect, test } from 'vitest';
import { base64, offered, size, uploadOf } from './upload';

const bytes = (text: string) => new TextEncoder().encode(text);
const file = (name: string, text = 'x') => ({ name, bytes: bytes(text) });

test('scripts go as text, so that a refusal names a line; all else in base64', () => {
  expect(uploadOf('a.rhai', bytes('fn größe'))).toEqual({ file: 'a.rhai', text: 'fn größe' });
  expect(uploadOf('a.wasm', new Uint8Array([0, 97, 115, 109]))).toEqual({ file: 'a.wasm', code_base64: 'AGFzbQ==' });
  expect(uploadOf('a.rhai', new Uint8Array([0xff]))).toEqual({ file: 'a.rhai', code_base64: '/w==' });
});

test('what the bytes begin with is kept: the digest is over all of them', () => {
  expect(uploadOf('a.rhai', new Uint8Array([0xef, 0xbb, 0xbf, 0x66])).text).toBe('\ufefff');
});

test('a large file is encoded whole', () => {
  const large = new Uint8Array(100_000).fill(7);
  expect(atob(base64(large)).length).toBe(100_000);
});

test('a signature goes with the file it is named after', () => {
  const offer = offered([file('a.rhai.sig', 'signed'), file('a.rhai'), file('b.wasm')]);
  expect(offer.problem).toBeNull();
  expect(offer.uploads.map(({ file, signature }) => [file, signature])).toEqual([
    ['a.rhai', 'signed'],
    ['b.wasm', undefined],
  ]);
});

test.each([
  [[file('notes.txt')], 'notes.txt is no policy'],
  [[file('a.rhai', '')], 'a.rhai is empty'],
  [[file('a.sig')], 'A signature alone'],
  [[file('a.rhai'), file('b.rhai.sig')], 'b.rhai.sig belongs to none'],
  [['a', 'b', 'c', 'd', 'e'].map((name) => file(`${name}.rhai`)), 'At most 4'],
])('what the host would refuse is said before it is sent (%#)', (files, problem) => {
  const offer = offered(files);
  expect(offer.problem).toContain(problem);
  expect(offer.uploads).toEqual([]);
});

test('no file is no problem', () => {
  expect(offered([])).toEqual({ uploads: [], sizes: [], problem: null });
});

test('sizes are told in units that a person reads', () => {
  expect([size(12), size(2048), size(3 << 20)]).toEqual(['12 B', '2.0 KiB', '3.0 MiB']);
});
