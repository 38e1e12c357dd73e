/** What the command palette offers, and which of it fits what was typed. */

import { PLACES } from '../pages';
import { href } from '../route';
import type { Dashboard } from '../wire';
import { kindName } from '../words';

export type Command =
  | { do: 'go'; hash: string }
  | { do: 'start' | 'stop' | 'roll_back_model' | 'theme' | 'help' | 'copy_link' }
  | { do: 'roll_back_policy'; kind: string }
  | { do: 'decide_held'; approve: boolean }
  | { do: 'cancel_run'; run: number }
  | { do: 'open'; address: string };

export type Item = { id: string; group: 'Go to' | 'Command' | 'Page'; text: string; hint: string; command: Command };

export function items(state: Dashboard | null, typed: string): Item[] {
  return [...jumps(typed), ...verbs(state), ...PLACES.map(({ page, text, href, what }): Item => ({ id: `page-${page}`, group: 'Page', text, hint: what, command: { do: 'go', hash: href } })), ...OUTSIDE];
}

const OUTSIDE: Item[] = [
  { id: 'docs', group: 'Page', text: 'API documentation', hint: 'Every request of this host', command: { do: 'open', address: '/api/docs' } },
  { id: 'metrics', group: 'Page', text: 'Metrics', hint: 'Figures for Prometheus', command: { do: 'open', address: '/metrics' } },
];

/** Only what can be done now: a stopped loop is not offered to be stopped. */
function verbs(state: Dashboard | null): Item[] {
  const verb = (id: string, text: string, hint: string, command: Command): Item => ({ id, group: 'Command', text, hint, command });
  const always = [
    verb('theme', 'Change the theme', 'System, light, dark', { do: 'theme' }),
    verb('help', 'Keyboard shortcuts', 'All of them', { do: 'help' }),
    verb('link', 'Copy a link to this page', 'With its filters', { do: 'copy_link' }),
  ];
  if (state === null) return always;
  const { training, candidate, last_apply: apply, active } = state;
  const now: Item[] = [
    training.enabled ? verb('stop', 'Stop training', 'Runs under way end by themselves', { do: 'stop' }) : verb('start', 'Start training', 'The next source is picked at once', { do: 'start' }),
  ];
  if (candidate?.stage === 'held') {
    now.push(verb('approve', `Approve ${candidate.tag}`, 'The gate holds it for a person', { do: 'decide_held', approve: true }));
    now.push(verb('reject', `Turn down ${candidate.tag}`, 'The gate holds it for a person', { do: 'decide_held', approve: false }));
  }
  if (apply !== null && active !== null) now.push(verb('roll-back-model', `Roll the model back to ${apply.before}`, `${active.tag} leaves service`, { do: 'roll_back_model' }));
  for (const { kind, previous, name, version } of state.policies) {
    if (previous !== null) now.push(verb(`roll-back-${kind}`, `Roll back ${kindName(kind).toLowerCase()} to ${previous}`, `${name}@${version} serves now`, { do: 'roll_back_policy', kind }));
  }
  for (const { id, name, status_slug } of state.jobs) {
    if (status_slug === 'running' || status_slug === 'warming') now.push(verb(`cancel-${id}`, `Cancel run ${id}`, name, { do: 'cancel_run', run: id }));
  }
  return [...now, ...always];
}

/** Numbers and names of things: `12`, `run 12`, `decision 7`, `c-3`, `0123abcd`. */
function jumps(typed: string): Item[] {
  const text = typed.trim().toLowerCase();
  const go = (id: string, text: string, hint: string, hash: string): Item => ({ id, group: 'Go to', text, hint, command: { do: 'go', hash } });
  const [, word = '', digits] = /^([a-z]*)[ #-]*([0-9]{1,15})$/.exec(text) ?? [];
  const found: Item[] = [];
  if (digits !== undefined) {
    const number = Number(digits);
    const named = (name: string) => name.startsWith(word);
    if (named('run') || named('job')) found.push(go('run', `Run ${number}`, 'Its curve, log and outcome', href({ page: 'job', id: number })));
    if (named('decision')) found.push(go('decision', `Decision ${number}`, 'What was asked, answered, and why', href({ page: 'decision', id: number })));
    if (named('source')) found.push(go('source', `Source ${number}`, 'Its place in the queue', href({ page: 'source', id: number })));
    if (named('campaign')) found.push(go('campaign', `Campaign c-${number}`, 'How far it is', href({ page: 'campaign', id: number, cursor: '' })));
    if (named('seq') || named('entry')) found.push(go('seq', `Evidence since position ${number}`, 'What has become better since', href({ page: 'diagnostics', since: String(number) })));
  }
  if (/^[0-9a-f]{8,64}$/.test(text) && /[a-f]/.test(text)) found.push(go('version', `Policy version ${text.slice(0, 12)}`, 'Its code, settings and history', href({ page: 'version', digest: text })));
  return found;
}

/** The best first; without anything typed, all of it in its order. */
export function ranked(all: readonly Item[], typed: string): Item[] {
  const wanted = typed.trim().toLowerCase();
  if (wanted === '') return [...all];
  const scored = all.flatMap((item) => {
    if (item.group === 'Go to') return [{ item, score: Infinity }];
    const direct = fit(wanted, item.text.toLowerCase());
    const aside = fit(wanted, item.hint.toLowerCase());
    const score = Math.max(direct ?? -1, aside === null ? -1 : aside * 0.4);
    return score < 0 ? [] : [{ item, score }];
  });
  return scored.sort((a, b) => (a.score === b.score ? 0 : b.score - a.score)).map(({ item }) => item);
}

/**
 * How well letters fit a text in which they stand in this order: whole words and beginnings count most, letters far apart
 * least. None where a letter is missing.
 */
export function fit(wanted: string, text: string): number | null {
  const at = text.indexOf(wanted);
  if (at >= 0) return 100 + (at === 0 || text[at - 1] === ' ' ? 50 : 0) - at / 10;
  let score = 0;
  let from = 0;
  for (const letter of wanted) {
    if (letter === ' ') continue;
    const next = text.indexOf(letter, from);
    if (next < 0) return null;
    const begins = next === 0 || /[ -]/.test(text[next - 1]!);
    score += begins ? 8 : next === from ? 4 : 1 - (next - from) / 40;
    from = next + 1;
  }
  // Letters that are strewn over a sentence are chance, not what was meant.
  return score >= wanted.length * 2 ? score : null;
}
