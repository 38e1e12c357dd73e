/** What decisions cost against the size of their questions. */

export type Measured = { size: number; fuel: number | null; micros: number };

export type CostBand = { from: number; to: number; decisions: number; fuel: number | null; micros: number };

/** What the size of a question is counted in, by kind. */
const COUNTED: Record<string, { list: string; unit: string }> = {
  'source-selection': { list: 'candidates', unit: 'candidates' },
  'promotion-gate': { list: 'pairs', unit: 'pairs' },
  curriculum: { list: 'hosts', unit: 'hosts' },
};

export function sizeUnit(kind: string): string {
  return COUNTED[kind]?.unit ?? 'characters';
}

/** Entries of the list that the kind is about; where there is none, the length of the question as text. */
export function questionSize(kind: string, context: unknown): number {
  const list = COUNTED[kind]?.list;
  const [fields] = typeof context === 'object' && context !== null ? Object.values(context) : [];
  const found: unknown = list !== undefined && typeof fields === 'object' && fields !== null ? Reflect.get(fields, list) : undefined;
  return Array.isArray(found) ? found.length : JSON.stringify(context ?? null).length;
}

const BANDS_MAX = 6;

/** Small questions first, in bands of about as many decisions each; questions of one size stay together. */
export function costBands(measured: readonly Measured[]): CostBand[] {
  const sorted = [...measured].sort((a, b) => a.size - b.size);
  const least = Math.ceil(sorted.length / BANDS_MAX);
  const bands: Measured[][] = [];
  for (const one of sorted) {
    const band = bands.at(-1);
    if (band === undefined || (band.length >= least && band.at(-1)?.size !== one.size)) bands.push([one]);
    else band.push(one);
  }
  return bands.map((band) => ({
    from: band[0]!.size,
    to: band.at(-1)!.size,
    decisions: band.length,
    fuel: median(band.flatMap((one) => (one.fuel === null ? [] : [one.fuel]))),
    micros: median(band.map((one) => one.micros)) ?? 0,
  }));
}

function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? null;
}
