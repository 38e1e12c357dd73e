/** The pages, as the navigation and the command palette list them. */

import type { Route } from './route';

export type Place = { page: Route['page']; text: string; href: string; what: string; also: readonly string[] };

export const PLACES: readonly Place[] = [
  { page: 'overview', text: 'Overview', href: '#/', what: 'Is it training, on what, is it getting better, what is wrong', also: [''] },
  { page: 'queue', text: 'Queue', href: '#/queue', what: 'What waits to be trained on, and what comes next', also: ['source'] },
  { page: 'campaigns', text: 'Campaigns', href: '#/campaigns', what: 'Many sources of one definition', also: ['campaign'] },
  { page: 'jobs', text: 'Jobs', href: '#/jobs', what: 'Runs, newest first', also: ['job'] },
  { page: 'promotion', text: 'Promotion', href: '#/promotion', what: 'What is live, what may replace it, and the proof', also: [] },
  { page: 'relay', text: 'Learning', href: '#/relay', what: 'From queue to standard requests, the learning memory, sinks', also: [] },
  { page: 'decisions', text: 'Decisions', href: '#/decisions', what: 'What policies decided, and why', also: ['decision'] },
  { page: 'policies', text: 'Policies', href: '#/policies', what: 'What decides, and how it is swapped', also: ['policy', 'version', 'diff', 'editor'] },
  { page: 'settings', text: 'Settings', href: '#/settings', what: 'Live settings, their history and presets', also: [] },
  { page: 'diagnostics', text: 'Diagnostics', href: '#/diagnostics', what: 'Health, heartbeat, improvement evidence', also: [] },
];
