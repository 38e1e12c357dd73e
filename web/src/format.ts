/** How numbers, times and names are written. Only the look is decided here; facts come from the host. */

/** What stands where there is no value. */
export const NONE = '–';

export function bits(value: number | null | undefined): string {
  return value === null || value === undefined ? NONE : value.toFixed(3);
}

/** A difference with its sign: `−0.031`. */
export function signed(value: number, digits = 3): string {
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return '±' + text;
  return (value < 0 ? '−' : '+') + text;
}

export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** `1.2 M`: for costs, where the order of magnitude tells. */
export function compact(value: number): string {
  if (value < 1_000) return String(value);
  if (value < 1_000_000) return `${trimmed(value / 1_000)} k`;
  if (value < 1_000_000_000) return `${trimmed(value / 1_000_000)} M`;
  return `${trimmed(value / 1_000_000_000)} G`;
}

/** A number of unknown kind, short but not rounded to nothing. */
export function number(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  if (value === 0) return '0';
  const size = Math.abs(value);
  const text = size < 0.001 || size >= 1e9 ? value.toExponential(2) : Number(value.toPrecision(6)).toLocaleString('en-US', { maximumFractionDigits: size < 10 ? 4 : 2 });
  return text.replace('-', '−');
}

export function micros(value: number): string {
  if (value < 1_000) return `${value} µs`;
  if (value < 1_000_000) return `${trimmed(value / 1_000)} ms`;
  return `${trimmed(value / 1_000_000)} s`;
}

function trimmed(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}

/** How long: `4 s`, `3 min`, `2 h`, `5 d`. */
export function duration(ms: number): string {
  const s = Math.max(0, ms) / 1000;
  if (s < 60) return `${Math.floor(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86_400)} d`;
}

/** How long, with a second unit: `4.2 s`, `1 min 12 s`, `2 h 5 min`. For what is over. */
export function durationLong(ms: number): string {
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 60) return `${Math.round(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

export function ago(at: number, now: number): string {
  const ms = now - at;
  return ms < 1_500 ? 'just now' : `${duration(ms)} ago`;
}

export function clock(at: number): string {
  return new Date(at).toLocaleTimeString('en-GB');
}

/** Full time in UTC, for titles and copies. */
export function iso(at: number): string {
  return new Date(at).toISOString();
}

export function ordinal(n: number): string {
  const tens = n % 100;
  const suffix = tens >= 11 && tens <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][n % 10] ?? 'th');
  return `${n}${suffix}`;
}

export function short(digest: string): string {
  return digest.slice(0, 12);
}

export function plural(n: number, one: string, many = one + 's'): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}
