import { expect, test } from 'vitest';
import { dashboardAt } from '../testing/factories';
import type { SettingRow, SettingsForm } from '../wire';
import { conflict, EMPTY_DRAFT, field, liveValues, patchOf, rebase, restored, settingCalls, stored, typeAll, typeInto, valueWords, wanted } from './model';

const row = (name: string, change: Partial<SettingRow>): SettingRow => ({ name, label: name, help: '', unit: '', value: 1, default: 1, minimum: null, maximum: null, choices: [], may_be_none: false, ...change });

function form(etag: string, values: Record<string, SettingRow['value']> = {}): SettingsForm {
  const settings = [
    row('retry_budget', { value: 3, default: 3, minimum: 0, maximum: 100, unit: 'attempts' }),
    row('curriculum_fallback', { value: true, default: true }),
    row('lane_mode', { value: 'hybrid', default: 'hybrid', choices: ['hybrid', 'queued_only'] }),
    row('guard_host_loss_max', { value: null, default: null, minimum: 0, maximum: 8, may_be_none: true }),
  ].map((one) => (one.name in values ? { ...one, value: values[one.name]! } : one));
  const all = [row('global_max', { value: 3, default: 3 })];
  return {
    view: { fingerprint: 'f', seq: 1, generated_at: 0, age_ms: 0, ttl_ms: 5_000 },
    etag,
    groups: [
      { slug: 'training', label: 'Training', help: '', writable: true, settings },
      { slug: 'all_tasks', label: 'All tasks', help: '', writable: false, settings: all },
    ],
    declared: [],
    capacity: dashboardAt(1).capacity,
  };
}

test('typing begins a draft, typing the live value back ends it', () => {
  const live = form('a');
  const draft = typeInto(EMPTY_DRAFT, live, 'retry_budget', '5');
  expect(draft.base?.etag).toBe('a');
  expect(patchOf(live, draft)).toEqual({ retry_budget: 5 });
  expect(typeInto(draft, live, 'retry_budget', '3')).toEqual(EMPTY_DRAFT);
  expect(typeInto(EMPTY_DRAFT, live, 'retry_budget', '3.0')).toEqual(EMPTY_DRAFT);
});

test('what may not be changed here is never part of a draft', () => {
  expect(typeInto(EMPTY_DRAFT, form('a'), 'global_max', '9')).toBe(EMPTY_DRAFT);
  expect(liveValues(form('a'))).not.toHaveProperty('global_max');
});

test.each([
  ['', 'Give a number'],
  ['many', 'Give a number'],
  ['-1', 'At least 0'],
  ['101', 'At most 100'],
])('%s is told where it is typed, and nothing is sent', (typed, problem) => {
  const draft = typeInto(EMPTY_DRAFT, form('a'), 'retry_budget', typed);
  expect(field(form('a').groups[0]!.settings[0]!, draft, []).problem).toBe(problem);
  expect(patchOf(form('a'), draft)).toBeNull();
});

test('what the host refuses stands at its field, as long as that is in the draft', () => {
  const refused = [{ pointer: '/retry_budget', detail: 'is no whole number' }];
  const [budget] = form('a').groups[0]!.settings;
  expect(field(budget!, typeInto(EMPTY_DRAFT, form('a'), 'retry_budget', '4.5'), refused).problem).toBe('is no whole number');
  expect(field(budget!, EMPTY_DRAFT, refused).problem).toBeNull();
});

test('a guard may be turned on and off', () => {
  const on = typeInto(EMPTY_DRAFT, form('a'), 'guard_host_loss_max', '0.5');
  expect(patchOf(form('a'), on)).toEqual({ guard_host_loss_max: 0.5 });
  const live = form('b', { guard_host_loss_max: 0.5 });
  expect(patchOf(live, typeInto(EMPTY_DRAFT, live, 'guard_host_loss_max', null))).toEqual({ guard_host_loss_max: null });
  expect(patchOf(live, typeInto(EMPTY_DRAFT, live, 'retry_budget', null))).toBeNull();
});

test('another tab changed something: it is named, and the draft can be put upon it', () => {
  const draft = typeAll(EMPTY_DRAFT, form('a'), { retry_budget: 5, curriculum_fallback: false });
  expect(conflict(form('a'), draft)).toBeNull();
  const live = form('b', { retry_budget: 7, lane_mode: 'queued_only' });
  const found = conflict(live, draft)!;
  expect(found.theirs.map(({ name, before, after }) => [name, before, after])).toEqual([
    ['retry_budget', 3, 7],
    ['lane_mode', 'hybrid', 'queued_only'],
  ]);
  expect(found.both).toEqual(['retry_budget']);
  const mine = rebase(live, draft, 'mine');
  expect(mine.base?.etag).toBe('b');
  expect(patchOf(live, mine)).toEqual({ retry_budget: 5, curriculum_fallback: false });
  expect(patchOf(live, rebase(live, draft, 'theirs'))).toEqual({ curriculum_fallback: false });
  expect(conflict(live, mine)).toBeNull();
});

test('a draft that the other one has made true is no draft any more', () => {
  const draft = typeInto(EMPTY_DRAFT, form('a'), 'retry_budget', '7');
  expect(rebase(form('b', { retry_budget: 7 }), draft, 'mine')).toEqual(EMPTY_DRAFT);
});

test('a draft survives as text; what is no draft is none', () => {
  const draft = typeAll(EMPTY_DRAFT, form('a'), { retry_budget: 5, curriculum_fallback: false });
  expect(restored(stored(draft))).toEqual(draft);
  for (const text of [null, '', '[]', '{"typed":{"a":1}}', '{"base":null,"typed":{}}']) expect(restored(text)).toEqual(EMPTY_DRAFT);
});

test('a search looks at names, labels and help', () => {
  expect(wanted(form('a').groups, 'LANE').flatMap(({ settings }) => settings.map(({ name }) => name))).toEqual(['lane_mode']);
  expect(wanted(form('a').groups, 'nothing such')).toEqual([]);
});

test('values in words, each kind of nothing apart', () => {
  expect([valueWords(null), valueWords(false), valueWords(0, 's'), valueWords('queued_only'), valueWords(0.2, 'share')]).toEqual(['none', 'off', '0 s', 'queued only', '0.2']);
  expect([valueWords(1, 'runs'), valueWords(2, 'runs'), valueWords(1, 'successes'), valueWords(1, 'ms'), valueWords(1, 'bits per byte')]).toEqual(['1 run', '2 runs', '1 success', '1 ms', '1 bits per byte']);
});

test('the call that is shown is the one that is sent', () => {
  const call = settingCalls.change({ guard_host_loss_max: null }, '"t"', 'too strict', true);
  expect(call).toMatchObject({ method: 'PATCH', path: '/api/v1/settings?dry_run=true&reason=too+strict', ifMatch: '"t"', body: { guard_host_loss_max: null } });
  expect(call.cli?.join(' ')).toBe('settings set guard_host_loss_max=none --if-match "t" --dry-run --reason too strict');
});
