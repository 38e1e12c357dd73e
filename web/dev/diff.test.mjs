import { expect, test } from 'vitest';
import { applyPatch } from '../src/feed/patch';
import { diff } from './diff.mjs';
import { Story } from './story.mjs';

test('the patches of a whole story lead from its first state to its last', () => {
  const story = new Story({ scene: 'busy', startAt: 1_800_000_000_000 });
  let held = story.dashboard();
  for (let n = 0; n < 600; n++) {
    story.tick();
    if (n === 100) story.swap('retry', '2.0.0', 'test');
    if (n === 200) story.setTraining(false, 'test');
    if (n === 260) story.setTraining(true, 'test');
    const next = story.dashboard();
    held = applyPatch(held, diff(held, next));
    expect(held).toEqual(next);
  }
}, 60_000);
