/** What is done with sources and campaigns at a press: why, the request, how it went, and the way back where there is one. */

import { perform } from '../api';
import { calls, type Call } from '../call';
import { act, problemText, ui, type Answer, type Question } from '../ui.svelte';
import type { CampaignRow, LockCard, Problem, SourceRow } from '../wire';
import { cancelCampaignCall, doneWords, lockCall, undoOf, unlockCall, verbCall, VERBS, type Chosen, type Verb } from './model';

/** In their order, one at a time: a hundred at once would be turned away. */
async function sendAll(requests: Call[]): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const request of requests) {
    const result = await perform(request);
    if (!result.ok) problems.push(result.problem);
  }
  return problems;
}

/** Asks why, does it, and says how it went. `changed` is called whenever the rows may be others. */
export async function doWith(verb: Verb, rows: SourceRow[], changed: () => void): Promise<void> {
  const answer = await ui.askMore(questionOf(verb, rows));
  if (answer === null) return;
  const chosen = chosenOf(verb, answer);
  const done: SourceRow[] = [];
  const problems: { row: SourceRow; problem: Problem }[] = [];
  for (const row of rows) {
    const result = await perform(verbCall(verb, row.id, chosen));
    if (result.ok) done.push(row);
    else problems.push({ row, problem: result.problem });
  }
  changed();
  if (done.length > 0) {
    const undo = done.map((row) => undoOf(verb, row)).filter((request) => request !== null);
    const all = undo.length === done.length;
    ui.toast({
      topic: `sources ${verb}`,
      text: doneWords(verb, done),
      detail: rows.length === 1 ? (done[0]?.title ?? null) : null,
      undo: !all ? null : () => void undone(undo, changed),
    });
  }
  const [first] = problems;
  if (first !== undefined) {
    const more = problems.length - 1;
    ui.toast({
      topic: `sources ${verb} refused`,
      tone: 'bad',
      text: `Source ${first.row.id}: ${problemText(first.problem)}${more > 0 ? `, and ${more} more refused` : ''}`,
      detail: first.problem.fix,
    });
  }
}

async function undone(requests: Call[], changed: () => void): Promise<void> {
  const [first] = await sendAll(requests);
  changed();
  if (first === undefined) ui.toast({ topic: 'undone', tone: 'info', text: 'It is as it was' });
  else ui.fail(first);
}

function chosenOf(verb: Verb, { reason, chosen: { priority, title, lane } }: Answer): Chosen {
  const chosen: Chosen = { reason };
  if (verb === 'priority') chosen.priority = Number(priority);
  if (verb === 'title') chosen.title = (title ?? '').trim();
  if (verb === 'move') chosen.lane = lane ?? '';
  return chosen;
}

function questionOf(verb: Verb, rows: SourceRow[]): Question {
  const [first] = rows;
  const what = rows.length === 1 && first !== undefined ? `source ${first.id}` : `${rows.length} sources`;
  const name = rows.length === 1 && first !== undefined ? `“${first.title}”` : 'Each of them';
  const common = {
    confirm: VERBS[verb].label,
    danger: VERBS[verb].danger,
    suggestion: '',
    // Of several, the request of the first stands for the others.
    call: (answer: Answer) => verbCall(verb, first?.id ?? 0, chosenOf(verb, answer)),
  };
  switch (verb) {
    case 'run':
      return { ...common, title: `Run ${what} now?`, text: `${name} runs beside the automatic loop, as a manual run, in a slot that is not reserved and within the cap of its host.` };
    case 'priority':
      return { ...common, title: `Priority of ${what}`, text: 'Higher is earlier, if the selection policy heeds it.', fields: [{ name: 'priority', label: 'Priority', value: String(first?.priority ?? 0), numeric: true }] };
    case 'title':
      return { ...common, title: `Rename ${what}`, text: 'Its runs so far keep the name that they had.', fields: [{ name: 'title', label: 'Title', value: first?.title ?? '', numeric: false }] };
    case 'move': {
      const options = [
        { value: 'queue', label: 'Queue' },
        { value: 'curriculum', label: 'Curriculum' },
      ];
      // The lane that they are not in comes first.
      if (first?.lane === 'queue') options.reverse();
      return { ...common, title: `Move ${what} to another lane?`, text: 'Which lane is picked from is for the lane mode to say.', choices: [{ name: 'lane', label: 'Lane', options }] };
    }
    case 'disable':
      return { ...common, title: `Disable ${what}?`, text: `${name} stays on the list and is not picked until a person enables it.` };
    case 'enable':
      return { ...common, title: `Enable ${what}?`, text: `${name} may be picked again.` };
    case 'cancel':
      return { ...common, confirm: 'Cancel it', title: `Cancel ${what}?`, text: `${name} leaves the backlog for good. What it has taught so far stays.` };
  }
}

export async function cancelCampaign(campaign: CampaignRow): Promise<boolean> {
  const call = ({ reason, chosen }: Answer) => cancelCampaignCall(campaign.id, chosen['end_runs'] === 'yes', reason);
  const answer = await ui.askMore({
    title: `Cancel campaign ${campaign.name}?`,
    text: `What is queued of “${campaign.title}” leaves the backlog for good.`,
    confirm: 'Cancel the campaign',
    danger: true,
    suggestion: '',
    call,
    choices: [
      {
        name: 'end_runs',
        label: 'Its runs under way',
        options: [
          { value: '', label: 'go on to their end' },
          { value: 'yes', label: 'are ended, too' },
        ],
      },
    ],
  });
  if (answer === null) return false;
  return act(perform(call(answer)), { text: `Campaign ${campaign.name} is cancelled` });
}

export async function stopWithReason(): Promise<boolean> {
  const reason = await ui.ask({
    title: 'Stop training?',
    text: 'Nothing more is picked by itself. Runs under way end by themselves, queued sources stay queued, and the stop stands over restarts until a person starts again.',
    confirm: 'Stop training',
    danger: true,
    suggestion: '',
    call: ({ reason }) => calls.training(false, reason),
  });
  if (reason === null) return false;
  return act(perform(calls.training(false, reason)), {
    topic: 'training',
    text: 'Training stops: runs under way end by themselves',
    undo: () => void act(perform(calls.training(true, 'stop was undone on the dashboard')), { topic: 'training', text: 'Training goes on' }),
  });
}

export async function unlock(lock: LockCard): Promise<boolean> {
  const reason = await ui.ask({
    title: `Release the lock on ${lock.value}?`,
    text: lock.holder === null ? 'All hosts may be picked from again.' : `Campaign c-${lock.holder} holds it, and does not take it again by itself.`,
    confirm: 'Release the lock',
    danger: false,
    suggestion: '',
    call: ({ reason }) => unlockCall(reason),
  });
  if (reason === null) return false;
  const again = lockCall(lock.key, lock.value, 'release was undone on the dashboard');
  return act(perform(unlockCall(reason)), {
    topic: 'lock',
    text: `The lock on ${lock.value} is released`,
    undo: lock.holder === null ? () => void act(perform(again), { topic: 'lock', text: `Locked to ${lock.value} again` }) : null,
  });
}

export async function lockTo(): Promise<boolean> {
  const call = ({ reason, chosen }: Answer) => lockCall(chosen['key'] ?? 'host', (chosen['value'] ?? '').trim(), reason);
  const answer = await ui.askMore({
    title: 'Lock selection?',
    text: 'Nothing but sources of this host, or of this campaign, is picked until the lock is released.',
    confirm: 'Lock',
    danger: false,
    suggestion: '',
    call,
    choices: [
      {
        name: 'key',
        label: 'To one',
        options: [
          { value: 'host', label: 'host' },
          { value: 'campaign', label: 'campaign' },
        ],
      },
    ],
    fields: [{ name: 'value', label: 'Name of the host, or of the campaign (c-3)', value: '', numeric: false }],
  });
  if (answer === null) return false;
  return act(perform(call(answer)), {
    topic: 'lock',
    text: `Selection is locked to ${(answer.chosen['value'] ?? '').trim()}`,
    undo: () => void act(perform(unlockCall('lock was undone on the dashboard')), { topic: 'lock', text: 'The lock is released' }),
  });
}
