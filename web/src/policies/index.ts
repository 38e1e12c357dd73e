/** The policies pages: loaded on the first visit to one of them. */

export { default as Diff } from './Diff.svelte';
export { default as Editor } from './editor/Editor.svelte';
export { default as Kind } from './Kind.svelte';
export { default as Policies } from './Policies.svelte';
export { default as Version } from './Version.svelte';
