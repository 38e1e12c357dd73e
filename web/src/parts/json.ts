/** What a tree of JSON shows of a value. */

export type Branch = { name: string; value: unknown; small: boolean };

/** Longer lists are shown in stretches of this many. */
const STRETCH = 50;
/** A branch with no more members than this opens with its parent. */
const SMALL = 12;

/** None for a scalar. */
export function branches(value: unknown): Branch[] | null {
  if (Array.isArray(value)) {
    if (value.length > STRETCH) {
      return Array.from({ length: Math.ceil(value.length / STRETCH) }, (_, part) => {
        const from = part * STRETCH;
        const some: unknown[] = value.slice(from, from + STRETCH);
        const named = Object.fromEntries(some.map((item, at) => [String(from + at), item]));
        return { name: `${from} to ${from + some.length - 1}`, value: named, small: false };
      });
    }
    return value.map((item: unknown, at) => ({ name: String(at), value: item, small: false }));
  }
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).map(([name, item]: [string, unknown]) => ({ name, value: item, small: size(item) <= SMALL }));
  }
  return null;
}

function size(value: unknown): number {
  return typeof value === 'object' && value !== null ? Object.keys(value).length : 0;
}

export function scalar(value: unknown): { text: string; kind: 'text' | 'number' | 'word' } {
  if (typeof value === 'string') return { text: JSON.stringify(value), kind: 'text' };
  if (typeof value === 'number') return { text: String(value), kind: 'number' };
  return { text: String(value), kind: 'word' };
}

/** One line that tells what is inside. */
export function preview(value: unknown): string {
  if (Array.isArray(value)) {
    if (value.length > 0 && value.length <= 8 && value.every((item) => typeof item !== 'object' || item === null)) {
      return cut(`[${value.map((item: unknown) => scalar(item).text).join(', ')}]`);
    }
    return value.length === 0 ? '[]' : `[${value.length}]`;
  }
  if (typeof value !== 'object' || value === null) return scalar(value).text;
  const parts = Object.entries(value).map(([name, item]: [string, unknown]) =>
    typeof item === 'object' && item !== null ? `${name} …` : `${name} ${scalar(item).text}`,
  );
  return cut(`{${parts.join(', ')}}`);
}

function cut(text: string): string {
  return text.length > 90 ? text.slice(0, 88) + '…}' : text;
}
