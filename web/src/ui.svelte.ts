/** Toasts, the question for a reason, and what happens on a press of a button. */

import { perform, write, type Result } from './api';
import { calls, type Call } from './call';
import type { Problem } from './wire';

export type Toast = {
  id: number;
  /** A newer toast on the same topic takes the place of the older one. */
  topic: string;
  tone: 'good' | 'bad' | 'info';
  text: string;
  detail: string | null;
  undo: (() => void) | null;
};

export type Question = {
  title: string;
  text: string;
  confirm: string;
  danger: boolean;
  suggestion: string;
  /** Further things to choose, beside the reason. */
  choices?: Choice[];
  /** There is nothing that a reason would be kept with. */
  reasonless?: boolean;
  /** The request that follows from the answer, to be shown beside the button. */
  call?: (answer: Answer) => Call;
  /** Further things to write, beside the reason. */
  fields?: Field[];
};

export type Field = { name: string; label: string; value: string; numeric: boolean };

export type Choice = {
  name: string;
  label: string;
  /** The first one is chosen unless the person chooses another. */
  options: { value: string; label: string }[];
};

export type Answer = { reason: string; chosen: Record<string, string> };

const TOAST_MS = 7_000;

class Ui {
  toasts = $state.raw<Toast[]>([]);
  question = $state.raw<Question | null>(null);
  helpOpen = $state(false);
  paletteOpen = $state(false);
  /** The search field takes the focus as soon as it is there. */
  searchWanted = $state(false);
  #answer: ((answer: Answer | null) => void) | null = null;
  #nextToast = 1;

  toast(toast: Partial<Toast> & { text: string }): void {
    const id = this.#nextToast++;
    const full: Toast = { topic: toast.text, tone: 'good', detail: null, undo: null, ...toast, id };
    this.toasts = [...this.toasts.filter((other) => other.topic !== full.topic), full].slice(-3);
    setTimeout(() => this.dismiss(id), full.tone === 'bad' ? 2 * TOAST_MS : TOAST_MS);
  }

  dismiss(id: number): void {
    this.toasts = this.toasts.filter((toast) => toast.id !== id);
  }

  fail(problem: Problem): void {
    this.toast({ tone: 'bad', text: problemText(problem), detail: problem.fix });
  }

  /** Asks why. None means that the person thought better of it. */
  async ask(question: Question): Promise<string | null> {
    return (await this.askMore(question))?.reason ?? null;
  }

  /** Asks why, and for what else there is to choose. */
  askMore(question: Question): Promise<Answer | null> {
    this.#answer?.(null);
    this.question = question;
    return new Promise((resolve) => {
      this.#answer = resolve;
    });
  }

  answer(answer: Answer | null): void {
    this.question = null;
    this.#answer?.(answer);
    this.#answer = null;
  }
}

export const ui = new Ui();

/** What happened, where, and the code to quote. */
export function problemText(problem: Problem): string {
  const fields = problem.errors.map((error) => `${error.pointer.replace(/^\//, '') || 'body'}: ${error.detail}`);
  const text = fields.length > 0 ? fields.join('; ') : problem.detail || problem.title;
  return `${text} (${problem.code})`;
}

/** Does it and says how it went. Answers whether it went well. */
export async function act(doing: Promise<Result<unknown>>, done: Partial<Toast> & { text: string }): Promise<boolean> {
  const result = await doing;
  if (result.ok) ui.toast(done);
  else ui.fail(result.problem);
  return result.ok;
}

const FROM_HERE = 'asked on the dashboard';

export function startTraining(reason = FROM_HERE): Promise<boolean> {
  return act(perform(calls.training(true, reason)), {
    topic: 'training',
    text: 'Training starts: the next source is picked now',
    undo: () => void stopTraining('start was undone on the dashboard'),
  });
}

export function stopTraining(reason = FROM_HERE): Promise<boolean> {
  return act(perform(calls.training(false, reason)), {
    topic: 'training',
    text: 'Training stops: runs under way end by themselves',
    undo: () => void startTraining('stop was undone on the dashboard'),
  });
}

/** `together` are the other kinds that came into service with this one, by name. */
export async function rollBackPolicy(kind: string, current: string, previous: string, together: string[] = []): Promise<boolean> {
  const call = ({ reason, chosen }: Answer) => calls.rollBackPolicy(kind, reason, chosen['whole_set'] === 'yes');
  const answer = await ui.askMore({
    call,
    title: `Roll back to ${previous}?`,
    text: `${previous} answers from the next decision on, with the state it had. ${current} stays on record and can be activated again.`,
    confirm: 'Roll back',
    danger: true,
    suggestion: '',
    choices: together.length === 0 ? [] : [{ name: 'whole_set', label: 'They came into service together', options: [{ value: '', label: 'This kind alone' }, { value: 'yes', label: `Also ${together.join(', ')}` }] }],
  });
  if (answer === null) return false;
  return act(perform(call(answer)), { text: `Rolled back to ${previous}` });
}

export async function rollBackModel(current: string, previous: string): Promise<boolean> {
  const reason = await ui.ask({
    call: ({ reason }) => calls.rollBackModel(reason),
    title: `Bring ${previous} back into service?`,
    text: `${previous} answers standard requests again, at once and without a restart. ${current} leaves service and stays on disk.`,
    confirm: 'Roll back',
    danger: true,
    suggestion: '',
  });
  if (reason === null) return false;
  return act(perform(calls.rollBackModel(reason)), { text: `${previous} is back in service` });
}

/** What was seen of a held candidate, where more is known than its tag. */
export type Held = { decision: number; approving: string; rejecting: string; forbidden: string | null };

/** A person's word on a candidate that the gate holds. */
export async function decideHeld(tag: string, approve: boolean, held: Held | null = null): Promise<boolean> {
  const guarded = approve && held?.forbidden ? held.forbidden : null;
  const call = (reason: string) => calls.decideHeld(tag, approve, reason, held === null ? {} : { seen: held.decision, despiteGuards: guarded !== null });
  const what = approve ? (held?.approving ?? `${tag} moves to its next stage as if the gate had let it pass.`) : (held?.rejecting ?? `${tag} leaves the way into service; the next window raises another candidate.`);
  const reason = await ui.ask({
    title: approve ? (guarded === null ? `Let ${tag} go on?` : `Let ${tag} go on despite a guard?`) : `Turn ${tag} down?`,
    text: guarded === null ? what : `A guard forbids it: ${guarded} ${what}`,
    confirm: approve ? (guarded === null ? 'Approve' : 'Approve despite the guard') : 'Turn down',
    danger: !approve || guarded !== null,
    suggestion: '',
    call: ({ reason }) => call(reason),
  });
  if (reason === null) return false;
  return act(perform(call(reason)), { text: approve ? `${tag} goes on` : `${tag} is turned down` });
}

export async function cancelJob(id: number, name: string): Promise<boolean> {
  const reason = await ui.ask({
    call: ({ reason }) => calls.cancelJob(id, reason),
    title: `Cancel run ${id}?`,
    text: `“${name}” is asked to end, and ended by force if it does not. What it has learnt so far is not kept.`,
    confirm: 'Cancel the run',
    danger: true,
    suggestion: '',
  });
  if (reason === null) return false;
  return act(perform(calls.cancelJob(id, reason)), { text: `Run ${id} is being cancelled` });
}

export type NewSource = { title: string; host?: string; body?: string; priority?: number };

export function enqueue(source: NewSource): Promise<Result<unknown>> {
  return write('/api/v1/sources', source);
}

export type Completion = { model: string; text: string; ms: number };

/** Asks the model in service through the OpenAI-compatible door. */
export async function complete(prompt: string): Promise<Result<Completion>> {
  const began = performance.now();
  const result = await write<{ model?: string; choices?: { text?: string }[] }>('/v1/completions', {
    model: 'standard',
    prompt,
    max_tokens: 120,
  });
  if (!result.ok) return result;
  const { model, choices } = result.value;
  return { ok: true, value: { model: model ?? 'unknown', text: choices?.[0]?.text ?? '', ms: performance.now() - began } };
}

export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    ui.toast({ tone: 'info', text: `${what} copied`, detail: text });
  } catch {
    // Browsers give the clipboard to secure pages only: then at least show it.
    ui.toast({ tone: 'info', text: `Copy ${what.toLowerCase()} by hand`, detail: text });
  }
}

