/** One draft for the whole visit: it is there again after another page, and after a reload of this tab. */

import { perform, read } from '../api';
import { Latest } from '../latest';
import { Fetched } from '../parts/fetched.svelte';
import { ui } from '../ui.svelte';
import type { PresetList, PresetRow, Problem, SettingsAnswer, SettingsChange, SettingsForm, SettingsHistory } from '../wire';
import { conflict, diffWords, EMPTY_DRAFT, isStale, patchOf, rebase, restored, settingCalls, stored, typeAll, typeInto, type Draft, type Typed, type Value } from './model';

const KEY = 'pointsman.settings.draft';
const PAUSE_MS = 350;
const HISTORY_PAGE = 12;

/** What the host says to the draft, before anything is changed. */
export type Preview = { answer: SettingsAnswer | null; problem: Problem | null };
const NO_PREVIEW: Preview = { answer: null, problem: null };

export class Desk {
  readonly form = new Fetched<SettingsForm>();
  readonly presets = new Fetched<PresetList>();
  draft = $state.raw<Draft>(remembered());
  preview = $state.raw<Preview>(NO_PREVIEW);
  previewing = $state(false);
  applying = $state(false);
  history = $state.raw<SettingsChange[] | null>(null);
  historyProblem = $state.raw<Problem | null>(null);
  historyCursor = $state<string | null>(null);
  #latest = new Latest();
  #timer: ReturnType<typeof setTimeout> | undefined;

  count = $derived(Object.keys(this.draft.typed).length);
  conflict = $derived(this.form.value === null ? null : conflict(this.form.value, this.draft));
  patch = $derived(this.form.value === null || this.count === 0 ? null : patchOf(this.form.value, this.draft));

  follow(): () => void {
    const stops = [this.form.follow('/api/v1/settings/form'), this.presets.follow('/api/v1/settings/presets', 20_000)];
    void this.loadHistory();
    return () => {
      clearTimeout(this.#timer);
      stops.forEach((stop) => stop());
    };
  }

  type(name: string, typed: Typed): void {
    if (this.form.value !== null) this.#set(typeInto(this.draft, this.form.value, name, typed));
  }

  take(values: Record<string, Value>): void {
    if (this.form.value !== null) this.#set(typeAll(this.draft, this.form.value, values));
  }

  discard(): void {
    const before = this.draft;
    this.#set(EMPTY_DRAFT);
    ui.toast({ tone: 'info', topic: 'draft', text: 'The draft is discarded', undo: () => this.#set(before) });
  }

  rebase(keep: 'mine' | 'theirs'): void {
    if (this.form.value !== null) this.#set(rebase(this.form.value, this.draft, keep));
  }

  async apply(): Promise<void> {
    const { patch } = this;
    const base = this.draft.base;
    const changes = this.preview.answer?.changes;
    if (patch === null || base === null || this.applying) return;
    const reason = await ui.ask({
      title: `Apply ${this.count === 1 ? 'one setting' : `${this.count} settings`}?`,
      text: `All at once or not at all; they count from the next turn of the loop on, without a restart. ${(changes ?? []).map(diffWords).join('. ')}`,
      confirm: 'Apply settings',
      danger: false,
      suggestion: '',
      call: ({ reason }) => settingCalls.change(patch, base.etag, reason),
    });
    if (reason === null) return;
    this.applying = true;
    const result = await perform<SettingsAnswer>(settingCalls.change(patch, base.etag, reason));
    this.applying = false;
    if (result.ok) {
      this.#set(EMPTY_DRAFT);
      this.#tellChanged(result.value, 'Settings are applied');
    } else this.#refused(result.problem);
    await this.#reload();
  }

  /** Takes a change back. What would happen is asked first, and where it has been changed again since, once more. */
  async undo(seq: number): Promise<void> {
    const dry = await perform<SettingsAnswer>(settingCalls.undo(seq, '', { dryRun: true }));
    const force = !dry.ok && dry.problem.code === 'changed_since';
    if (!dry.ok && !force) return ui.fail(dry.problem);
    if (dry.ok && dry.value.changes.length === 0) return ui.toast({ tone: 'info', text: `Change ${seq} is undone already: the live values are those before it` });
    const words = dry.ok ? dry.value.changes.map(diffWords).join('. ') : dry.problem.errors.map(({ pointer, detail }) => `${pointer.slice(1)} ${detail}`).join('. ');
    const reason = await ui.ask({
      title: force ? `Undo change ${seq} over later changes?` : `Undo change ${seq}?`,
      text: force ? `Some of it was changed again since: ${words}.` : `A change of its own, kept in the history: ${words}.`,
      confirm: 'Undo',
      danger: force,
      suggestion: '',
      call: ({ reason }) => settingCalls.undo(seq, reason, { force }),
    });
    if (reason === null) return;
    const result = await perform<SettingsAnswer>(settingCalls.undo(seq, reason, { force }));
    if (result.ok) this.#tellChanged(result.value, `Change ${seq} is undone`);
    else ui.fail(result.problem);
    await this.#reload();
  }

  async applyPreset(preset: PresetRow): Promise<void> {
    const etag = this.form.value?.etag;
    if (etag === undefined) return;
    const dry = await perform<SettingsAnswer>(settingCalls.applyPreset(preset.name, etag, '', true));
    if (!dry.ok) return this.#refused(dry.problem);
    if (dry.value.changes.length === 0) return ui.toast({ tone: 'info', text: `The live values are those of ${preset.name} already` });
    const reason = await ui.ask({
      title: `Apply the preset ${preset.name}?`,
      text: dry.value.changes.map(diffWords).join('. '),
      confirm: 'Apply',
      danger: false,
      suggestion: '',
      call: ({ reason }) => settingCalls.applyPreset(preset.name, etag, reason),
    });
    if (reason === null) return;
    const result = await perform<SettingsAnswer>(settingCalls.applyPreset(preset.name, etag, reason));
    if (result.ok) this.#tellChanged(result.value, `Preset ${preset.name} is applied`);
    else this.#refused(result.problem);
    await this.#reload();
  }

  /** Answers why not, if it was not saved. */
  async savePreset(name: string, values: Record<string, Value>, note: string): Promise<Problem | null> {
    const result = await perform<PresetRow>(settingCalls.savePreset(name, values, note));
    if (result.ok) ui.toast({ text: `Preset ${name} is saved` });
    await this.presets.reload();
    return result.ok ? null : result.problem;
  }

  async deletePreset({ name, values, note }: PresetRow): Promise<void> {
    const result = await perform<null>(settingCalls.deletePreset(name));
    if (result.ok) ui.toast({ topic: `preset ${name}`, text: `Preset ${name} is deleted`, undo: () => void this.savePreset(name, values, note) });
    else ui.fail(result.problem);
    await this.presets.reload();
  }

  async loadHistory(more = false): Promise<void> {
    const cursor = more && this.historyCursor !== null ? `&cursor=${encodeURIComponent(this.historyCursor)}` : '';
    const result = await read<SettingsHistory>(`/api/v1/settings/history?limit=${HISTORY_PAGE}${cursor}`);
    if (!result.ok) {
      this.historyProblem = result.problem;
      return;
    }
    this.historyProblem = null;
    this.history = more ? [...(this.history ?? []), ...result.value.changes] : result.value.changes;
    this.historyCursor = result.value.next_cursor;
  }

  #tellChanged(answer: SettingsAnswer, text: string): void {
    const { seq } = answer;
    ui.toast({ topic: 'settings', text, detail: answer.changes.map(diffWords).join('. '), undo: seq === null ? null : () => void this.#takeBack(seq) });
  }

  async #takeBack(seq: number): Promise<void> {
    const result = await perform<SettingsAnswer>(settingCalls.undo(seq, 'undone on the dashboard'));
    if (result.ok) this.#tellChanged(result.value, `Change ${seq} is undone`);
    else ui.fail(result.problem);
    await this.#reload();
  }

  /** A refusal stands with the draft; that somebody was faster is shown as their changes. */
  #refused(problem: Problem): void {
    if (this.count > 0) this.preview = { answer: null, problem };
    if (this.count === 0 || isStale(problem)) ui.fail(problem);
  }

  async #reload(): Promise<void> {
    await Promise.all([this.form.reload(), this.presets.reload(), this.loadHistory()]);
  }

  #set(draft: Draft): void {
    this.draft = draft;
    try {
      if (draft.base === null) sessionStorage.removeItem(KEY);
      else sessionStorage.setItem(KEY, stored(draft));
    } catch {
      // Private windows may refuse; the draft then lasts as long as the page.
    }
    this.ask();
  }

  /** Asks the host what it says to the draft, once the typing rests. */
  ask(): void {
    clearTimeout(this.#timer);
    this.#latest.end();
    this.previewing = false;
    this.preview = NO_PREVIEW;
    if (this.count === 0) return;
    this.previewing = true;
    this.#timer = setTimeout(() => void this.#dryRun(), PAUSE_MS);
  }

  async #dryRun(): Promise<void> {
    const { patch } = this;
    const base = this.draft.base;
    if (patch === null || base === null) {
      // Wrong already as it stands, or the form is not there yet.
      this.previewing = false;
      return;
    }
    const turn = this.#latest.begin();
    const result = await perform<SettingsAnswer>(settingCalls.change(patch, base.etag, '', true));
    if (!turn.isLatest()) return;
    this.previewing = false;
    this.preview = result.ok ? { answer: result.value, problem: null } : { answer: null, problem: result.problem };
    if (!result.ok && isStale(result.problem)) await this.form.reload();
  }
}

function remembered(): Draft {
  try {
    return restored(sessionStorage.getItem(KEY));
  } catch {
    return EMPTY_DRAFT;
  }
}

export const desk = new Desk();
