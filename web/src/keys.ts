/** Keyboard: each shortcut also has a visible button or link. Keys typed into fields are never taken. */

export type Shortcut = { keys: string; what: string };

export const SHORTCUTS: readonly Shortcut[] = [
  { keys: 'g o', what: 'Overview' },
  { keys: 'g q', what: 'Queue' },
  { keys: 'g c', what: 'Campaigns' },
  { keys: 'g j', what: 'Jobs' },
  { keys: 'g d', what: 'Decisions' },
  { keys: 'g p', what: 'Policies' },
  { keys: 'g m', what: 'Promotion' },
  { keys: 'g l', what: 'Learning' },
  { keys: 'g s', what: 'Settings' },
  { keys: 'g i', what: 'Diagnostics' },
  { keys: 'Ctrl K', what: 'Command palette: pages, commands, numbers (Cmd on a Mac)' },
  { keys: 'j', what: 'In a list: next row; k: the row before' },
  { keys: 'Enter', what: 'In a list: open the row' },
  { keys: 'x', what: 'In a list: choose the row, or not' },
  { keys: '/', what: 'Search jobs' },
  { keys: 't', what: 'Theme: system, light, dark' },
  { keys: '?', what: 'This help' },
  { keys: 'Esc', what: 'Close what is open' },
  { keys: 'Ctrl Enter', what: 'In the editor: dry run now (Cmd on a Mac)' },
  { keys: 'Ctrl Space', what: 'In the editor: names that can stand here' },
  { keys: 'Ctrl ]', what: 'In the editor: indent; Tab leaves it' },
];

export type Actions = {
  go(hash: string): void;
  search(): void;
  theme(): void;
  help(): void;
  palette(): void;
  /** Answers whether there was a list to move in. */
  list?(move: ListMove): boolean;
};

export type ListMove = 'next' | 'previous' | 'choose';

const SEQUENCE_MS = 1_200;

/** Answers a function that takes key events. `g` waits a moment for the letter that says where. */
export function keyHandler(actions: Actions, now: () => number): (event: KeyboardEvent) => void {
  let goAt: number | null = null;
  return (event) => {
    // This one also counts in a field: it types nothing there. The editor's own keys go first.
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === 'k' && !event.defaultPrevented && !asked(event.target)) {
      goAt = null;
      actions.palette();
      event.preventDefault();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || typing(event.target)) return;
    const going = goAt !== null && now() - goAt < SEQUENCE_MS;
    goAt = null;
    const action = going ? PLACES[event.key] : undefined;
    if (action !== undefined) actions.go(action);
    else if (event.key === 'g') goAt = now();
    else if (event.key === '/') actions.search();
    else if (event.key === '?') actions.help();
    else if (event.key === 't') actions.theme();
    else if (LIST[event.key] !== undefined && actions.list?.(LIST[event.key]!)) return event.preventDefault();
    else return;
    event.preventDefault();
  };
}

const PLACES: Record<string, string> = { o: '#/', q: '#/queue', c: '#/campaigns', j: '#/jobs', d: '#/decisions', p: '#/policies', m: '#/promotion', l: '#/relay', s: '#/settings', i: '#/diagnostics' };

const LIST: Record<string, ListMove> = { j: 'next', k: 'previous', x: 'choose' };

/**
 * Moves the focus among the rows of the page's list, `[data-list] [data-row]`: onto the link of the row, so that Enter opens it.
 * Choosing presses the row's checkbox.
 */
export function moveInList(move: ListMove, root: Document = document): boolean {
  const rows = [...root.querySelectorAll('[data-list] [data-row]')];
  const at = rows.findIndex((row) => row.contains(root.activeElement));
  if (move === 'choose') {
    const box = rows[at]?.querySelector<HTMLInputElement>('input[type=checkbox]');
    box?.click();
    return box !== null && box !== undefined;
  }
  const to = at === -1 ? 0 : Math.min(rows.length - 1, Math.max(0, at + (move === 'next' ? 1 : -1)));
  const link = rows[to]?.querySelector<HTMLAnchorElement>('a[href]');
  link?.focus();
  return link !== null && link !== undefined;
}

function typing(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('input:not([type=checkbox]), textarea, select, [contenteditable], [data-code-editor], dialog') !== null;
}

/** A question is answered or left first. */
function asked(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('dialog') !== null;
}
