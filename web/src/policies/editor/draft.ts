/** The text that a person has typed, kept in this tab: it survives a reload, and going to another page and back. */

import type { Draft as Typed } from '../settings';

export type Draft = {
  file: string;
  text: string;
  /** The text that it began with, and the version it is of; empty for a file or a template. */
  base: string;
  from: string;
  settings: Typed;
};

const KEY = 'pointsman.draft.';

/** Whether anything would be lost with it. */
export function dirty(draft: Pick<Draft, 'text' | 'base'>): boolean {
  return draft.text !== draft.base;
}

export function remembered(storage: Storage, kind: string): Draft | null {
  try {
    const value: unknown = JSON.parse(storage.getItem(KEY + kind) ?? 'null');
    return isDraft(value) && dirty(value) ? value : null;
  } catch {
    return null;
  }
}

/** Answers whether it is kept: private windows and full storages refuse. */
export function remember(storage: Storage, kind: string, draft: Draft): boolean {
  try {
    if (dirty(draft)) storage.setItem(KEY + kind, JSON.stringify(draft));
    else storage.removeItem(KEY + kind);
    return true;
  } catch {
    return false;
  }
}

function isDraft(value: unknown): value is Draft {
  if (typeof value !== 'object' || value === null) return false;
  const { file, text, base, from, settings }: Partial<Record<keyof Draft, unknown>> = value;
  return [file, text, base, from].every((one) => typeof one === 'string') && typeof settings === 'object' && settings !== null;
}

/** A file that another page hands over to the editor; taken once. */
let handedOver: { kind: string; file: string; text: string } | null = null;

export function handOver(kind: string, file: string, text: string): void {
  handedOver = { kind, file, text };
}

export function takeHandedOver(kind: string): { file: string; text: string } | null {
  const given = handedOver?.kind === kind ? handedOver : null;
  if (given !== null) handedOver = null;
  return given;
}
