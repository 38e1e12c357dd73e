import { expect, test } from 'vitest';
import { decisionFactory } from '../testing/factories';
import { joined, reasonsHaveFigures, reasonsLine, reasonView, scoreTable } from './model';

const context = {
  selection: {
    hosts: ['novel', 'recipes'],
    candidates: [{ id: 11, host: 0 }, { id: 12, host: null }, { id: 13, host: 1 }],
  },
};
const ruling = {
  verdict: { selection: { pick: [2] } },
  advice: {
    scores: { totals: [3, 1, 2], term_names: ['lane', 'waited'], terms: [2, 1, 0.5, 0.5, 1.5, 0.5], rules: ['host lock'], blocked: [{ candidate: 0, rule: 0 }] },
    distribution: [0.2, 0.3, 0.5],
  },
};

test('the chosen come first, then the free by total, then the blocked', () => {
  const table = scoreTable(context, ruling)!;
  expect(table.termNames).toEqual(['lane', 'waited']);
  expect(table.rows).toEqual([
    { candidate: 2, label: '#13 recipes', total: 2, terms: [1.5, 0.5], blocked: [], rank: 1, probability: 0.5 },
    { candidate: 1, label: '#12', total: 1, terms: [0.5, 0.5], blocked: [], rank: null, probability: 0.3 },
    { candidate: 0, label: '#11 novel', total: 3, terms: [2, 1], blocked: ['host lock'], rank: null, probability: 0.2 },
  ]);
});

test('a curriculum is scored by host', () => {
  const table = scoreTable(
    { curriculum: { hosts: ['novel', 'recipes'] } },
    { verdict: { curriculum: { plant: [{ host: 1 }] } }, advice: { scores: { totals: [0.1, 0.9] } } },
  )!;
  expect(table.rows.map(({ label, rank }) => [label, rank])).toEqual([['recipes', 1], ['novel', null]]);
});

test.each([[null, null], ['text', 3], [{}, { advice: null }], [{}, { advice: { scores: { totals: 'none' } } }]])('no scores, no table: %j', (context, ruling) => {
  expect(scoreTable(context, ruling)).toBeNull();
});

test('scores that are not complete are shown as far as they go', () => {
  const table = scoreTable({}, { advice: { scores: { totals: [1], term_names: ['a', 'b'], terms: [1], blocked: [{ candidate: 0, rule: 7 }] } } })!;
  expect(table.rows[0]).toMatchObject({ label: 'candidate 0', blocked: ['rule 7'], rank: null });
  expect(table.rows[0]!.terms[1]).toBeNaN();
});

test('reasons with figures get their columns', () => {
  const plain = { code: 'idle', text: 'nothing waits', feature: null, value: null, threshold: null, margin: null };
  const full = { code: 'e', text: '', feature: 'e_value', value: 12.34567, threshold: 20, margin: -7.65433 };
  expect(reasonsHaveFigures([plain])).toBe(false);
  expect(reasonsHaveFigures([plain, full])).toBe(true);
  expect(reasonView(full)).toMatchObject({ value: '12.35', threshold: '20', margin: '−7.6543' });
  expect(reasonView(plain)).toMatchObject({ value: '', margin: '' });
});

test('reasons in one line', () => {
  const reason = (text: string) => ({ code: 'why', text, feature: null, value: null, threshold: null, margin: null });
  expect(reasonsLine([])).toBe('');
  expect(reasonsLine([reason('It waits.'), reason('')])).toBe('It waits · why');
  expect(reasonsLine([reason('a'), reason('b'), reason('c'), reason('d')])).toBe('a · b · 2 more');
});

test('live and older decisions are one list', () => {
  const list = joined([decisionFactory.answered(3, { summary: 'new' }), decisionFactory.answered(2)], [decisionFactory.answered(3, { summary: 'old' }), decisionFactory.answered(1)]);
  expect(list.map(({ id }) => id)).toEqual([3, 2, 1]);
  expect(list[0]!.summary).toBe('new');
});
