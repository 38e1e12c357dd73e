/** The pages of those who run the host; one script, loaded on the first visit to one of them. */

export { default as Diagnostics } from './diagnostics/Diagnostics.svelte';
export { default as Learning } from './learning/Learning.svelte';
export { default as Promotion } from './promotion/Promotion.svelte';
export { default as Settings } from './settings/Settings.svelte';
