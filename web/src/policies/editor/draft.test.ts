import { expect, test } from 'vitest';
import { dirty, handOver, remember, remembered, takeHandedOver, type Draft } from './draft';

function storage(full = false): Storage {
  const kept = new Map<string, string>();
  return {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem(key: string, value: string) {
      if (full) throw new Error('full');
      kept.set(key, value);
    },
    removeItem: (key: string) => void kept.delete(key),
    clear: () => kept.clear(),
    key: () => null,
    length: 0,
  };
}

const DRAFT: Draft = { file: 'retry.rhai', text: 'new', base: 'old', from: 'ab', settings: { wait_s: '3' } };

test('what was typed comes back, for its kind alone', () => {
  const kept = storage();
  expect(remember(kept, 'retry', DRAFT)).toBe(true);
  expect(remembered(kept, 'retry')).toEqual(DRAFT);
  expect(remembered(kept, 'curriculum')).toBe(null);
});

test('what is as it was is not kept', () => {
  const kept = storage();
  remember(kept, 'retry', DRAFT);
  remember(kept, 'retry', { ...DRAFT, text: 'old' });
  expect(remembered(kept, 'retry')).toBe(null);
  expect(dirty(DRAFT)).toBe(true);
});

test('a storage that refuses is said, and one that holds something else is passed over', () => {
  expect(remember(storage(true), 'retry', DRAFT)).toBe(false);
  const kept = storage();
  for (const value of ['no json', '3', '{"text":"x"}', 'null']) {
    kept.setItem('pointsman.draft.retry', value);
    expect(remembered(kept, 'retry')).toBe(null);
  }
});

test('a file that is handed over is taken once, by the kind it is for', () => {
  handOver('retry', 'a.rhai', 'x');
  expect(takeHandedOver('curriculum')).toBe(null);
  expect(takeHandedOver('retry')).toMatchObject({ file: 'a.rhai', text: 'x' });
  expect(takeHandedOver('retry')).toBe(null);
});
