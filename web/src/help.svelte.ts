/** What fields mean, in the words of the API's schema: the same on this page, on the command line and in the document. */

import { read } from './api';
import type { HelpList } from './wire';

class Help {
  #words = $state.raw<ReadonlyMap<string, string> | null>(null);
  #asked = false;

  /** Asks once; a page that shows help calls it. */
  async load(): Promise<void> {
    if (this.#asked) return;
    this.#asked = true;
    const result = await read<HelpList>('/api/v1/help');
    if (result.ok) this.#words = new Map(result.value.fields.map(({ name, help }) => [name, help]));
    else this.#asked = false;
  }

  /** By `Type.field`; empty where nothing is known of it, or not yet. */
  of(name: string): string {
    return this.#words?.get(name) ?? '';
  }
}

export const help = new Help();
