/** Names and tones for the slugs of the wire. A slug this page does not know is shown as it is. */

export type Tone = 'good' | 'bad' | 'warn' | 'info' | 'quiet';
export type Glyph = 'play' | 'pause' | 'check' | 'cross' | 'warn' | 'info' | 'wait' | 'back' | 'dot' | 'plus' | 'ring' | 'stop';

export type Mark = { tone: Tone; glyph: Glyph };

export const POLICY_KINDS = ['source-selection', 'retry', 'promotion-gate', 'curriculum'] as const;

const KIND_NAMES: Record<string, string> = {
  'source-selection': 'Source selection',
  retry: 'Retry',
  'promotion-gate': 'Promotion gate',
  curriculum: 'Curriculum',
};

/** What each kind decides, for people who meet the word the first time. */
const KIND_HELP: Record<string, string> = {
  'source-selection': 'What to train on next',
  retry: 'What becomes of a source whose run failed',
  'promotion-gate': 'Whether a new model may go live',
  curriculum: 'What to practise when nothing is queued',
};

export function kindName(kind: string): string {
  return KIND_NAMES[kind] ?? kind;
}

export function kindHelp(kind: string): string {
  return KIND_HELP[kind] ?? '';
}

const QUIET: Mark = { tone: 'quiet', glyph: 'dot' };

const STATUS: Record<string, Mark> = {
  queued: { tone: 'quiet', glyph: 'wait' },
  warming: { tone: 'info', glyph: 'ring' },
  running: { tone: 'info', glyph: 'play' },
  completed: { tone: 'good', glyph: 'check' },
  failed: { tone: 'bad', glyph: 'cross' },
  cancelled: { tone: 'warn', glyph: 'stop' },
};

export function statusMark(slug: string): Mark {
  return STATUS[slug] ?? QUIET;
}

/** In the order a run goes through them. */
export const STATUSES: readonly { slug: string; label: string }[] = [
  { slug: 'queued', label: 'Queued' },
  { slug: 'warming', label: 'Warming up' },
  { slug: 'running', label: 'Running' },
  { slug: 'completed', label: 'Completed' },
  { slug: 'failed', label: 'Failed' },
  { slug: 'cancelled', label: 'Cancelled' },
];

const VERDICTS: Record<string, Mark> = {
  pick: { tone: 'good', glyph: 'play' },
  idle: { tone: 'quiet', glyph: 'pause' },
  retry: { tone: 'info', glyph: 'wait' },
  move_lane: { tone: 'info', glyph: 'wait' },
  disable: { tone: 'bad', glyph: 'stop' },
  give_up: { tone: 'bad', glyph: 'cross' },
  advance: { tone: 'good', glyph: 'check' },
  need_more: { tone: 'info', glyph: 'plus' },
  reject: { tone: 'bad', glyph: 'cross' },
  hold: { tone: 'warn', glyph: 'pause' },
  roll_back: { tone: 'bad', glyph: 'back' },
  plant: { tone: 'good', glyph: 'plus' },
  park: { tone: 'warn', glyph: 'pause' },
  nothing: QUIET,
};

export function verdictMark(verdict: string): Mark {
  return VERDICTS[verdict] ?? QUIET;
}

export function verdictWord(verdict: string): string {
  return verdict.replaceAll('_', ' ');
}

const TRAINING: Record<string, Mark> = {
  running: { tone: 'good', glyph: 'play' },
  draining: { tone: 'warn', glyph: 'wait' },
  stopped: { tone: 'quiet', glyph: 'pause' },
};

export function trainingMark(slug: string): Mark {
  return TRAINING[slug] ?? QUIET;
}

const STAGES: Record<string, Mark> = {
  evaluating: { tone: 'info', glyph: 'ring' },
  canary: { tone: 'info', glyph: 'play' },
  watching: { tone: 'info', glyph: 'ring' },
  held: { tone: 'warn', glyph: 'pause' },
};

export function stageMark(stage: string): Mark {
  return STAGES[stage] ?? QUIET;
}

const LEVELS: Record<string, Mark> = {
  error: { tone: 'bad', glyph: 'cross' },
  warning: { tone: 'warn', glyph: 'warn' },
  info: { tone: 'info', glyph: 'info' },
};

export function levelMark(level: string): Mark {
  return LEVELS[level] ?? LEVELS['info']!;
}

/** Who answered, where it was not simply the active version. */
export function linkWords(link: string, declined: number): { text: string; fallback: boolean } | null {
  if (link === 'active') return null;
  const fallback = declined > 0;
  const who = link === 'last_good' ? 'last good version' : link === 'built_in' ? 'built-in' : link;
  return { text: fallback ? `fallback: ${who}` : who, fallback };
}

export function linkName(link: string): string {
  return link === 'active' ? 'active version' : link === 'last_good' ? 'last good version' : link === 'built_in' ? 'built-in' : link;
}
