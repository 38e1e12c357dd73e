/** Toasts, the question for a reason, and what happens on a press of a button. */

import { write, type Result } from './api';
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
  return act(write('/api/training/start', { reason }), {
    topic: 'training',
    text: 'Training starts: the next source is picked now',
    undo: () => void stopTraining('start was undone on the dashboard'),
  });
}

export function stopTraining(reason = FROM_HERE): Promise<boolean> {
  return act(write('/api/training/stop', { reason }), {
    topic: 'training',
    text: 'Training stops: runs under way end by themselves',
    undo: () => void startTraining('stop was undone on the dashboard'),
  });
}

/** `together` are the other kinds that came into service with this one, by name. */
export async function rollBackPolicy(kind: string, current: string, previous: string, together: string[] = []): Promise<boolean> {
  const answer = await ui.askMore({
    title: `Roll back to ${previous}?`,
    text: `${previous} answers from the next decision on, with the state it had. ${current} stays on record and can be activated again.`,
    confirm: 'Roll back',
    danger: true,
    suggestion: '',
    choices: together.length === 0 ? [] : [{ name: 'whole_set', label: 'They came into service together', options: [{ value: '', label: 'This kind alone' }, { value: 'yes', label: `Also ${together.join(', ')}` }] }],
  });
  if (answer === null) return false;
  const whole = answer.chosen['whole_set'] === 'yes' ? { whole_set: true } : {};
  return act(write(`/api/v1/policies/${encodeURIComponent(kind)}/rollback`, { reason: answer.reason, ...whole }), { text: `Rolled back to ${previous}` });
}

export async function rollBackModel(current: string, previous: string): Promise<boolean> {
  const reason = await ui.ask({
    title: `Bring ${previous} back into service?`,
    text: `${previous} answers standard requests again, at once and without a restart. ${current} leaves service and stays on disk.`,
    confirm: 'Roll back',
    danger: true,
    suggestion: '',
  });
  if (reason === null) return false;
  return act(write('/api/v1/models/rollback', { reason }), { text: `${previous} is back in service` });
}

/** A person's word on a candidate that the gate holds. */
export async function decideHeld(tag: string, approve: boolean): Promise<boolean> {
  const reason = await ui.ask({
    title: approve ? `Let ${tag} go on?` : `Turn ${tag} down?`,
    text: approve ? `${tag} moves to its next stage as if the gate had let it pass.` : `${tag} leaves the way into service; the next window raises another candidate.`,
    confirm: approve ? 'Approve' : 'Turn down',
    danger: !approve,
    suggestion: '',
  });
  if (reason === null) return false;
  return act(write(`/api/v1/models/${encodeURIComponent(tag)}/${approve ? 'approve' : 'reject'}`, { reason }), { text: approve ? `${tag} goes on` : `${tag} is turned down` });
}

export async function cancelJob(id: number, name: string): Promise<boolean> {
  const reason = await ui.ask({
    title: `Cancel run ${id}?`,
    text: `“${name}” is asked to end, and ended by force if it does not. What it has learnt so far is not kept.`,
    confirm: 'Cancel the run',
    danger: true,
    suggestion: '',
  });
  if (reason === null) return false;
  return act(write(`/api/v1/jobs/${id}/cancel`, { reason }), { text: `Run ${id} is being cancelled` });
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

