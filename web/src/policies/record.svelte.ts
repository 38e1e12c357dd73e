/** What the host keeps on record of policies, asked for again whenever the feed says that it may have changed. */

import { read } from '../api';
import { app } from '../app.svelte';
import type { PolicyList, Problem, VersionList } from '../wire';
import { recordKey } from './model';

class Asked<T> {
  value = $state.raw<T | null>(null);
  problem = $state.raw<Problem | null>(null);
  #latest = 0;

  constructor(readonly path: string) {}

  load = async (): Promise<void> => {
    const mine = ++this.#latest;
    const result = await read<T>(this.path);
    if (mine !== this.#latest) return;
    this.problem = result.ok ? null : result.problem;
    if (result.ok) this.value = result.value;
  };
}

/** For the top of a component: what is shown stays while it is asked for again. */
function kept<T>(path: string): Asked<T> {
  const asked = new Asked<T>(path);
  const key = $derived(recordKey(app.state?.policies));
  $effect(() => {
    void key;
    void asked.load();
  });
  return asked;
}

export function keptPolicies(): Asked<PolicyList> {
  return kept('/api/v1/policies');
}

export function keptVersions(kind: string): Asked<VersionList> {
  return kept('/api/v1/policies/versions' + (kind === '' ? '' : `?kind=${encodeURIComponent(kind)}`));
}
