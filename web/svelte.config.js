import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

export default {
  preprocess: vitePreprocess(),
  // Accessibility warnings fail the build.
  onwarn: (warning) => {
    throw new Error(`${warning.filename}:${warning.start?.line}: ${warning.message} (${warning.code})`);
  },
};
