import { launch, live, openPage, SIZES } from './harness.mjs';
import { startMock } from '../../web/dev/mock.mjs';
const only = process.argv.slice(2);
const mock = process.env.URL_ ? { url: process.env.URL_, close() {} } : await startMock({ port: 0, tickMs: 300 });
const browser = await launch();
const src = process.env.SRC ?? '2';
const places = { queue: '#/queue', source: `#/queue/${src}`, campaigns: '#/campaigns', campaign: '#/campaigns/1', jobs: '#/jobs', filtered: '#/queue?lane=queue&text=nothing' };
for (const [size, theme] of [['desktop', 'light'], ['phone', 'dark'], ['desktop', 'dark'], ['phone', 'light']]) {
  const o = await openPage(browser, mock.url, { size, theme });
  for (const [name, hash] of Object.entries(places)) {
    if (only.length && !only.includes(name) && !only.includes(`${name}-${size}-${theme}`)) continue;
    await o.page.goto(mock.url + '/' + hash);
    await live(o.page);
    await o.page.waitForTimeout(1500);
    await o.page.screenshot({ path: `/tmp/qp/${name}-${size}-${theme}.png`, fullPage: true });
    const wide = await o.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wide > 0) console.log(name, size, theme, 'wide', wide);
  }
  console.log(size, theme, o.troubles);
  await o.close();
  if (only.length && !process.env.ALL) break;
}
await browser.close(); mock.close(); process.exit(0);
