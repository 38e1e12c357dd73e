import { expect, test } from 'vitest';
import { settingFactory } from '../testing/factories';
import { changes, defaultsOf, draftOf, fields, valuesOf } from './settings';

const schema = [settingFactory.number('base_s', 2, { default: 3, minimum: 0.1, maximum: 3600 }), settingFactory.flag('once_more', false), settingFactory.text('label', 'a')];

test('the form opens with the values in use, and nothing is changed', () => {
  const form = fields(schema, draftOf(schema));
  expect(form.map(({ type, draft, changed }) => [type, draft, changed])).toEqual([
    ['number', '2', false],
    ['flag', false, false],
    ['text', 'a', false],
  ]);
  expect(form[0]?.bounds).toBe('0.1 to 3,600');
  expect(valuesOf(form)).toEqual({ base_s: 2, once_more: false, label: 'a' });
});

test.each([
  ['', 'Give a number'],
  ['two', 'Give a number'],
  ['0', 'At least 0.1'],
  ['1e9', 'At most 3,600'],
])('“%s” is no value for a number with bounds', (typed, problem) => {
  const form = fields(schema, { ...draftOf(schema), base_s: typed });
  expect(form[0]).toMatchObject({ problem, changed: true, value: null });
  expect(valuesOf(form)).toBeNull();
});

test('what is about to change is said in words', () => {
  const form = fields(schema, { base_s: ' 4.5 ', once_more: true, label: 'a' });
  expect(changes(schema, form)).toEqual(['base_s 2 → 4.5', 'once_more off → on']);
  expect(valuesOf(form)).toEqual({ base_s: 4.5, once_more: true, label: 'a' });
});

test('the defaults are not what is in use', () => {
  expect(fields(schema, defaultsOf(schema)).map((field) => field.changed)).toEqual([true, false, false]);
  expect(fields(schema, defaultsOf(schema)).every((field) => field.isDefault)).toBe(true);
});
