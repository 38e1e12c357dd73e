/** Answers that come line by line, each line a JSON value: bytes go in as they arrive, values come out. */

export class LineReader {
  #rest = '';
  #decoder = new TextDecoder();

  constructor(readonly reviver?: (name: string, value: unknown, context?: { source?: string }) => unknown) {}

  /** The lines that these bytes complete. Throws where one is no JSON. */
  take(bytes: Uint8Array): unknown[] {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split('\n');
    this.#rest = lines.pop() ?? '';
    return this.#values(lines);
  }

  /** What the last line without a line end says. Throws where the answer was cut off. */
  end(): unknown[] {
    const last = this.#rest + this.#decoder.decode();
    this.#rest = '';
    return this.#values([last]);
  }

  #values(lines: string[]): unknown[] {
    return lines.filter((line) => line.trim() !== '').map((line): unknown => JSON.parse(line, this.reviver));
  }
}
