/** Says what the first load weighs and fails when the scripts of it exceed their budget. */

import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const SCRIPTS_MAX = 90 * 1024;

const assets = new URL('../dist/assets/', import.meta.url);
/** What the page names itself is loaded first; the rest on a visit to the pages that need it. */
const page = readFileSync(new URL('../dist/index.html', import.meta.url), 'utf8');
const sizes = readdirSync(assets).map((name) => {
  const bytes = readFileSync(new URL(name, assets));
  return { name, first: page.includes(name), raw: bytes.length, gzip: name.endsWith('.woff2') ? bytes.length : gzipSync(bytes, { level: 9 }).length };
});
for (const { name, first, raw, gzip } of sizes) console.log(`${name}: ${raw} bytes, ${gzip} sent${first || !name.endsWith('.js') ? '' : ', later'}`);

const scripts = sizes.filter(({ name, first }) => first && name.endsWith('.js')).reduce((sum, { gzip }) => sum + gzip, 0);
console.log(`scripts of the first load: ${(scripts / 1024).toFixed(1)} kB of ${SCRIPTS_MAX / 1024} kB`);
if (scripts > SCRIPTS_MAX) {
  console.error('The scripts of the first load are over their budget. Load what is not needed at once with import().');
  process.exit(1);
}
