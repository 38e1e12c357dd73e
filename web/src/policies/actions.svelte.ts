/** What happens on a press of a button of the policies pages. Each call ends when the host has answered, or the swap is over. */

import { read, write, type Result } from '../api';
import { app } from '../app.svelte';
import { kindName } from '../words';
import { act, ui, type Choice } from '../ui.svelte';
import type { CanaryCard, Done, PolicyCard, Problem, QuarantineCard, ShadowCard, Swap, VersionDetail } from '../wire';
import { CONFIRM_WITHIN, named, percent, swapName } from './model';
import type { Value } from './settings';
import type { Kept, Upload } from './upload';

function ofKind(kind: string, action: string): string {
  return `/api/v1/policies/${encodeURIComponent(kind)}/${action}`;
}

// What serves.

export function confirm(card: PolicyCard): Promise<boolean> {
  return act(write(ofKind(card.kind, 'confirm'), {}), { text: `${named(card)} is confirmed` });
}

export async function setPin(card: PolicyCard, pinned: boolean): Promise<boolean> {
  const reason = await ui.ask({
    title: pinned ? `Pin ${named(card)}?` : `Unpin ${named(card)}?`,
    text: pinned ? `Activations and canaries for ${kindName(card.kind).toLowerCase()} are refused until somebody unpins it.` : `It is pinned ${card.pinned}. Other versions can be activated again.`,
    confirm: pinned ? 'Pin' : 'Unpin',
    danger: false,
    suggestion: '',
  });
  if (reason === null) return false;
  return act(write(ofKind(card.kind, pinned ? 'pin' : 'unpin'), { reason }), { text: `${kindName(card.kind)} is ${pinned ? 'pinned' : 'unpinned'}` });
}

export function release(card: PolicyCard, input: QuarantineCard): Promise<boolean> {
  return act(write(ofKind(card.kind, `quarantine/${encodeURIComponent(input.key)}/release`), {}), { text: 'The input is released: the policy is asked about it again' });
}

export async function endCanary(card: PolicyCard, canary: CanaryCard, promote: boolean): Promise<boolean> {
  const reason = await ui.ask({
    title: promote ? `Let ${named(canary)} decide all questions?` : `Stop the canary of ${named(canary)}?`,
    text: promote ? `It becomes the active version from the next decision on, in place of ${named(card)}.` : `${named(card)} decides all questions again.`,
    confirm: promote ? 'Promote' : 'Stop the canary',
    danger: !promote,
    suggestion: '',
  });
  if (reason === null) return false;
  return act(write(ofKind(card.kind, `canary/${promote ? 'promote' : 'stop'}`), { reason }), { text: promote ? `${named(canary)} is active` : `The canary of ${named(canary)} has ended` });
}

export function stopShadow(shadow: ShadowCard): Promise<boolean> {
  return act(write(ofKind(shadow.kind, 'shadow/stop'), { version: shadow.digest }), { text: `${named(shadow)} is in shadow no more` });
}

// Into service.

/** Files that this page has handed over, by digest of the version: what is in shadow may not be on the host's record yet. */
const handedOver = new Map<string, Upload | Kept>();

export type Terms = { reason: string; confirm_within_ms?: number; shadow_for?: number; force?: boolean };
/** `over` is told about when the swap has ended; the answer comes as soon as it was taken on. */
export type Taken = { ok: true; swap: number | null; over: Promise<boolean> } | { ok: false; problem: Problem };

export async function activateUploads(uploads: (Upload | Kept)[], terms: Terms): Promise<Taken> {
  return taken(await write<Done>('/api/v1/policies/activate', { policies: uploads, ...terms, background: true }));
}

export async function canaryUpload(policy: Upload, share: number, terms: Terms): Promise<Taken> {
  return taken(await write<Done>('/api/v1/policies/canary', { policy, share, reason: terms.reason, background: true }));
}

export async function shadowUpload(upload: Upload | Kept): Promise<Result<ShadowCard>> {
  const result = await write<ShadowCard>('/api/v1/policies/shadow', upload);
  if (result.ok) {
    handedOver.set(result.value.digest, upload);
    ui.toast({ text: `${named(result.value)} sees what is decided from now on` });
  }
  return result;
}

export async function activateStored(version: { digest: string; name: string; version: string }, tripped: boolean): Promise<boolean> {
  const answer = await askTerms(`Activate ${named(version)}?`, 'It goes through all stages first; what serves now goes on until then, and can be rolled back to.', 'Activate', tripped);
  if (answer === null) return false;
  return ended(taken(await write<Done>('/api/v1/policies/activate', { stored: [version.digest], ...answer, background: true })));
}

export async function canaryStored(version: { digest: string; name: string; version: string }, tripped: boolean): Promise<boolean> {
  const answer = await ui.askMore({
    title: `Let ${named(version)} decide a share?`,
    text: 'Which questions it decides is settled by their seed, so that it is asked the same ones in a replay.',
    confirm: 'Start the canary',
    danger: false,
    suggestion: '',
    choices: [SHARES, ...(tripped ? [FORCE] : [])],
  });
  if (answer === null) return false;
  const force = answer.chosen['force'] === 'yes' ? { force: true } : {};
  return ended(taken(await write<Done>('/api/v1/policies/canary', { stored: version.digest, share: Number(answer.chosen['share']), reason: answer.reason, ...force, background: true })));
}

/** A kept version sees what is decided, with the settings it has on record. */
export async function shadowStored(detail: VersionDetail): Promise<boolean> {
  const result = await shadowUpload({ stored: detail.row.digest });
  return result.ok || failed(result.problem);
}

/** From shadow into service: by the file where this page still has it, else from the host's record. */
export async function activateShadow(shadow: ShadowCard, tripped: boolean): Promise<boolean> {
  const upload = handedOver.get(shadow.digest);
  if (upload === undefined) {
    const known = await read<VersionDetail>(`/api/v1/policies/versions/${encodeURIComponent(shadow.digest)}`);
    if (!known.ok && known.problem.status === 404) {
      ui.toast({ tone: 'info', topic: 'shadow-file', text: `The host keeps no code of ${named(shadow)} yet`, detail: `Activate its file, ${shadow.file}, on the policies page or with: pointsman policy activate ${shadow.file}` });
      return false;
    }
    return activateStored(shadow, tripped);
  }
  const answer = await askTerms(`Activate ${named(shadow)}?`, 'It leaves the shadow and decides, once it has gone through all stages.', 'Activate', tripped);
  if (answer === null) return false;
  const stopped = await write(ofKind(shadow.kind, 'shadow/stop'), { version: shadow.digest });
  if (!stopped.ok && stopped.problem.status !== 404) return failed(stopped.problem);
  return ended(await activateUploads([upload], answer));
}

/** The same code with other settings is another version. */
export async function activateSettings(version: { digest: string; name: string; version: string; engine: string }, settings: Record<string, Value>, changes: string[], tripped: boolean): Promise<Taken | null> {
  const answer = await askTerms(`Activate ${named(version)} with other settings?`, `${changes.join('; ')}. The code stays the same; the settings make it a version of its own.`, 'Activate', tripped, changes.join('; ').slice(0, 200));
  if (answer === null) return null;
  return activateUploads([{ stored: version.digest, settings }], answer);
}

/** A script as it was typed, once somebody has said why. None where they thought better of it. */
export async function activateScript(upload: Upload, name: string, tripped: boolean): Promise<Taken | null> {
  const answer = await askTerms(`Activate ${name}?`, 'It goes through all stages first; what serves now goes on until then, and can be rolled back to.', 'Activate', tripped);
  return answer === null ? null : activateUploads([upload], answer);
}

export function codePath(digest: string): string {
  return `/api/v1/policies/versions/${encodeURIComponent(digest)}/code`;
}

export function cancelSwap(swap: Swap): Promise<boolean> {
  return act(write(`/api/v1/policies/swaps/${swap.id}/cancel`, {}), { text: `Swap ${swap.id} is asked to end` });
}

const FORCE: Choice = {
  name: 'force',
  label: 'The breaker took this version out of service a short while ago',
  options: [
    { value: '', label: 'Leave the decision to the breaker' },
    { value: 'yes', label: 'Activate it nevertheless' },
  ],
};

const SHARES: Choice = { name: 'share', label: 'Share of the questions', options: [0.05, 0.1, 0.2, 0.5].map((share) => ({ value: String(share), label: percent(share) })) };

async function askTerms(title: string, text: string, confirm: string, tripped: boolean, suggestion = ''): Promise<Terms | null> {
  const choices = [{ name: 'confirm', label: 'Confirmation', options: CONFIRM_WITHIN }, ...(tripped ? [FORCE] : [])];
  const answer = await ui.askMore({ title, text, confirm, danger: false, suggestion, choices });
  if (answer === null) return null;
  const within = Number(answer.chosen['confirm'] ?? '');
  return { reason: answer.reason, ...(within > 0 ? { confirm_within_ms: within } : {}), ...(answer.chosen['force'] === 'yes' ? { force: true } : {}) };
}

// How it ends.

function taken(result: Result<Done>): Taken {
  if (!result.ok) return result;
  const { swap } = result.value;
  if (swap === null || swap === undefined) return { ok: true, swap: null, over: Promise.resolve(true) };
  return { ok: true, swap, over: swapOver(swap).then(told) };
}

async function ended(result: Taken): Promise<boolean> {
  return result.ok ? result.over : failed(result.problem);
}

function failed(problem: Problem): false {
  ui.fail(problem);
  return false;
}

/** Says how a swap ended. */
function told(swap: Swap | null): boolean {
  if (swap === null) {
    ui.toast({ tone: 'info', text: 'The host does not know of this swap any more', detail: 'It was started anew, perhaps. See which version is active.' });
    return false;
  }
  const well = swap.status !== 'failed';
  if (well) ui.toast({ text: `${swapName(swap)} has gone through all stages` });
  else ui.toast({ tone: 'bad', text: `${swapName(swap)} was refused: ${swap.problem?.message ?? 'no reason was given'} (${swap.problem?.code ?? 'no code'})`, detail: swap.problem?.fix ?? 'What was active before goes on serving.' });
  return well;
}

const LOOK_MS = 4_000;

/** Waits for the end of a swap: on the feed, and by asking where the feed does not tell. */
function swapOver(id: number): Promise<Swap | null> {
  return new Promise((resolve) => {
    const end = (swap: Swap | null) => {
      clearInterval(timer);
      stop();
      resolve(swap);
    };
    const timer = setInterval(async () => {
      const asked = await read<Swap>(`/api/v1/policies/swaps/${id}`);
      if (asked.ok && asked.value.status !== 'running') end(asked.value);
      else if (!asked.ok && asked.problem.status === 404) end(null);
    }, LOOK_MS);
    const stop = $effect.root(() => {
      $effect(() => {
        const swap = app.state?.swaps?.find((one) => one.id === id);
        if (swap !== undefined && swap.status !== 'running') queueMicrotask(() => end(swap));
      });
    });
  });
}
