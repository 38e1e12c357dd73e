import { expect, test } from 'vitest';
import { costBands, questionSize, type Measured } from './cost';

test('a question is as large as the list that it is about', () => {
  expect(questionSize('source-selection', { selection: { hosts: ['a'], candidates: [1, 2, 3] } })).toBe(3);
  expect(questionSize('promotion-gate', { gate: { pairs: [1, 2] } })).toBe(2);
  expect(questionSize('retry', { retry: { attempt: 1 } })).toBe('{"retry":{"attempt":1}}'.length);
  expect(questionSize('retry', null)).toBe(4);
});

test('bands hold about as many decisions each, and a size is in one band only', () => {
  const measured = Array.from({ length: 60 }, (_, at): Measured => ({ size: Math.floor(at / 5), fuel: at * 10, micros: at }));
  const bands = costBands(measured.reverse());
  expect(bands).toHaveLength(6);
  expect(bands[0]).toEqual({ from: 0, to: 1, decisions: 10, fuel: 40, micros: 4 });
  expect(bands.every((band, at) => at === 0 || band.from > bands[at - 1]!.to)).toBe(true);
});

test('one size is one band, fuel may be unknown, and nothing has none', () => {
  expect(costBands([{ size: 4, fuel: null, micros: 7 }, { size: 4, fuel: null, micros: 9 }])).toEqual([{ from: 4, to: 4, decisions: 2, fuel: null, micros: 7 }]);
  expect(costBands([])).toEqual([]);
});
