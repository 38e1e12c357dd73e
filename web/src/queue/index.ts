/** Queue, sources and campaigns: loaded on the first visit to one of them. */

export { default as Campaign } from './Campaign.svelte';
export { default as Campaigns } from './Campaigns.svelte';
export { default as Queue } from './Queue.svelte';
export { default as Source } from './Source.svelte';
