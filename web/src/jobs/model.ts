/** The list of jobs: live rows over older ones, filtered and counted. */

import type { JobMemory, JobRow } from '../wire';

/** Live rows are the newer word on a job. Latest first. */
export function joined(live: readonly JobRow[], older: readonly JobRow[]): JobRow[] {
  const byId = new Map<number, JobRow>();
  for (const row of [...live, ...older]) if (!byId.has(row.id)) byId.set(row.id, row);
  return [...byId.values()].sort((a, b) => b.id - a.id);
}

export type Filter = { status: string; search: string };

export function matching(jobs: readonly JobRow[], { status, search }: Filter): JobRow[] {
  const words = search.toLowerCase().split(/\s+/).filter((word) => word !== '');
  return jobs.filter((job) => (status === '' || job.status_slug === status) && words.every((word) => text(job).includes(word)));
}

/** How many of the jobs that match the search have each status. */
export function statusCounts(jobs: readonly JobRow[], search: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const job of matching(jobs, { status: '', search })) counts.set(job.status_slug, (counts.get(job.status_slug) ?? 0) + 1);
  return counts;
}

function text(job: JobRow): string {
  return [`#${job.id}`, job.name, job.host, job.class, job.status_label, job.model, job.base, job.error, job.failure_class]
    .filter((part) => part !== null)
    .join(' ')
    .toLowerCase();
}

/** What came of a run: the model it made, or what went wrong with the class of the error. None while it goes on. */
export function outcome(job: JobRow): { good: boolean; word: string; text: string } | null {
  if (job.finished_at === null) return null;
  if (job.status_slug === 'completed') return { good: true, word: job.model === null ? 'completed' : `made ${job.model}`, text: '' };
  return { good: false, word: job.failure_class ?? job.status_slug, text: job.error ?? '' };
}

/** How long it ran, or has been running. None before it starts. */
export function ranFor(job: JobRow, now: number): number | null {
  return job.started_at === null ? null : (job.finished_at ?? now) - job.started_at;
}

export function underWay(job: JobRow): boolean {
  return job.status_slug === 'queued' || job.status_slug === 'warming' || job.status_slug === 'running';
}

/** Why a run was given less than there was room for. */
export function gapWords(gap: string, slots: JobMemory['slots']): string {
  if (gap === 'memory_unavailable') return 'The learning memory did not answer when the run began';
  const [, slug] = /^slot_underfilled:(.+)$/.exec(gap) ?? [];
  const label = slots.find(({ slot }) => slot === slug)?.label;
  return slug === undefined ? gap : `${label ?? slug}: less than half of the room was filled`;
}
