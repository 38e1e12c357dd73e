/** Keyboard: each shortcut also has a visible button or link. Keys typed into fields are never taken. */

export type Shortcut = { keys: string; what: string };

export const SHORTCUTS: readonly Shortcut[] = [
  { keys: 'g o', what: 'Overview' },
  { keys: 'g j', what: 'Jobs' },
  { keys: 'g d', what: 'Decisions' },
  { keys: 'g p', what: 'Policies' },
  { keys: 'g m', what: 'Promotion' },
  { keys: 'g s', what: 'Settings' },
  { keys: 'g i', what: 'Diagnostics' },
  { keys: 'Ctrl K', what: 'Command palette: pages, commands, numbers (Cmd on a Mac)' },
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
};

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
    else return;
    event.preventDefault();
  };
}

const PLACES: Record<string, string> = { o: '#/', j: '#/jobs', d: '#/decisions', p: '#/policies', m: '#/promotion', s: '#/settings', i: '#/diagnostics' };

function typing(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('input, textarea, select, [contenteditable], [data-code-editor], dialog') !== null;
}

/** A question is answered or left first. */
function asked(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('dialog') !== null;
}
