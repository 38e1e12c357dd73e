/** The form for a policy's settings, made from the schema that the policy declares. */

import { number } from '../format';
import type { PolicySetting } from '../wire';

export type Value = boolean | number | string;
/** What the person has typed so far, by name. */
export type Draft = Record<string, boolean | string>;

export type Field = {
  name: string;
  help: string;
  type: 'flag' | 'number' | 'text';
  /** `0.15 to 1`, `at least 1`; empty where anything goes. */
  bounds: string;
  default: string;
  minimum: number | null;
  maximum: number | null;
  draft: boolean | string;
  value: Value | null;
  problem: string | null;
  changed: boolean;
  isDefault: boolean;
};

export function draftOf(settings: readonly PolicySetting[]): Draft {
  return Object.fromEntries(settings.map(({ name, value }) => [name, drafted(value)]));
}

export function defaultsOf(settings: readonly PolicySetting[]): Draft {
  return Object.fromEntries(settings.map((setting) => [setting.name, drafted(setting.default)]));
}

function drafted(value: Value): boolean | string {
  return typeof value === 'boolean' ? value : String(value);
}

export function fields(settings: readonly PolicySetting[], draft: Draft): Field[] {
  return settings.map((setting) => {
    const typed = draft[setting.name] ?? drafted(setting.value);
    const { value, problem } = parsed(setting, typed);
    return {
      name: setting.name,
      help: setting.help,
      type: typeof setting.default === 'boolean' ? 'flag' : typeof setting.default === 'number' ? 'number' : 'text',
      bounds: bounds(setting),
      default: words(setting.default),
      minimum: setting.minimum,
      maximum: setting.maximum,
      draft: typed,
      value,
      problem,
      changed: problem !== null || value !== setting.value,
      isDefault: value === setting.default,
    };
  });
}

function parsed(setting: PolicySetting, typed: boolean | string): { value: Value | null; problem: string | null } {
  if (typeof setting.default !== 'number') return { value: typed, problem: null };
  const text = String(typed).trim();
  const value = Number(text);
  if (text === '' || !Number.isFinite(value)) return { value: null, problem: 'Give a number' };
  if (setting.minimum !== null && value < setting.minimum) return { value: null, problem: `At least ${number(setting.minimum)}` };
  if (setting.maximum !== null && value > setting.maximum) return { value: null, problem: `At most ${number(setting.maximum)}` };
  return { value, problem: null };
}

function bounds({ minimum, maximum }: PolicySetting): string {
  if (minimum !== null && maximum !== null) return `${number(minimum)} to ${number(maximum)}`;
  if (minimum !== null) return `at least ${number(minimum)}`;
  return maximum === null ? '' : `at most ${number(maximum)}`;
}

export function words(value: Value): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return typeof value === 'number' ? number(value) : value === '' ? 'empty' : value;
}

/** All values, or none while one of them is wrong. */
export function valuesOf(form: readonly Field[]): Record<string, Value> | null {
  const values: Record<string, Value> = {};
  for (const { name, value } of form) {
    if (value === null) return null;
    values[name] = value;
  }
  return values;
}

/** `base_s 2 → 4`: what is about to change, for the question and the reason. */
export function changes(settings: readonly PolicySetting[], form: readonly Field[]): string[] {
  return form.flatMap((field, at) => (field.changed && field.value !== null ? [`${field.name} ${words(settings[at]!.value)} → ${words(field.value)}`] : []));
}
