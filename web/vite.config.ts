import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

/** The host that `npm run dev` talks to: the mock by default, a real one by POINTSMAN_URL. */
const host = process.env['POINTSMAN_URL'] ?? 'http://127.0.0.1:7979';

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: 'es2022',
    // A data: address is refused by the page's Content-Security-Policy, `default-src 'self'`.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    proxy: {
      // The host answers its own page only, so the requests name it as their origin.
      '/api': { target: host, changeOrigin: true, headers: { origin: host } },
      '/v1': { target: host, changeOrigin: true, headers: { origin: host } },
      '/ws': { target: host, ws: true, changeOrigin: true, headers: { origin: host } },
    },
  },
});
