/** What a script says of itself in `describe()`, as far as it stands there in plain words. The host alone says what holds. */

import type { PolicySetting } from '../../wire';

const TEXT = '"(?:[^"\\\\]|\\\\.)*"';

/** `name`, `version` or `kind` of `describe()`; none where it is worked out by the script. */
export function said(script: string, name: 'name' | 'version' | 'kind'): string | null {
  const found = new RegExp(`\\b${name}\\s*:\\s*(${TEXT})`).exec(described(script))?.[1];
  return found === undefined ? null : unquoted(found);
}

/** The settings of `describe()` with their defaults. One that is not written out in plain words is left out. */
export function declaredSettings(script: string): PolicySetting[] {
  const inside = described(script);
  const from = /\bsettings\s*:\s*\[/.exec(inside);
  if (from === null) return [];
  return maps(inside.slice(from.index + from[0].length)).flatMap((map) => {
    const value = (name: string) => literal(new RegExp(`\\b${name}\\s*:\\s*(${TEXT}|true\\b|false\\b|-?[0-9][0-9_]*(?:\\.[0-9_]+)?(?:[eE][-+]?[0-9]+)?)`).exec(map)?.[1]);
    const [name, standard, minimum, maximum, help] = [value('name'), value('default'), value('minimum'), value('maximum'), value('help')];
    if (typeof name !== 'string' || standard === null) return [];
    return [{ name, help: typeof help === 'string' ? help : '', value: standard, default: standard, minimum: typeof minimum === 'number' ? minimum : null, maximum: typeof maximum === 'number' ? maximum : null }];
  });
}

/** The body of `fn describe`, without comments; empty where there is none. */
function described(script: string): string {
  const plain = withoutComments(script);
  const from = /\bfn\s+describe\s*\(\s*\)\s*\{/.exec(plain);
  return from === null ? '' : upTo(plain.slice(from.index + from[0].length), '{', '}');
}

/** The maps `#{...}` of a list, up to the list's end. */
function maps(list: string): string[] {
  const found: string[] = [];
  let rest = upTo(list, '[', ']');
  for (let at = rest.indexOf('#{'); at >= 0; at = rest.indexOf('#{')) {
    const map = upTo(rest.slice(at + 2), '{', '}');
    found.push(map);
    rest = rest.slice(at + 2 + map.length);
  }
  return found;
}

/** What stands before the bracket that closes what is open. */
function upTo(text: string, open: string, close: string): string {
  let depth = 1;
  for (const part of text.matchAll(new RegExp(`${TEXT}|[\\${open}\\${close}]`, 'g'))) {
    if (part[0] === open) depth += 1;
    else if (part[0] === close && --depth === 0) return text.slice(0, part.index);
  }
  return text;
}

function withoutComments(script: string): string {
  return script.replace(new RegExp(`(${TEXT})|//[^\\n]*|/\\*[\\s\\S]*?\\*/`, 'g'), (_, text: string | undefined) => text ?? ' ');
}

function literal(text: string | undefined): boolean | number | string | null {
  if (text === undefined) return null;
  if (text.startsWith('"')) return unquoted(text);
  return text === 'true' ? true : text === 'false' ? false : Number(text.replaceAll('_', ''));
}

function unquoted(text: string): string {
  return text.slice(1, -1).replace(/\\(.)/g, (_, letter: string) => ({ n: '\n', t: '\t' })[letter] ?? letter);
}
