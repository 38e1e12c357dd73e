/** What the host says when a decision is made again, or taken apart. */

import { count, number, plural } from '../format';
import type { Mark } from '../words';
import type { FlipReport, FlipRow, VerificationReport, VerificationRow } from '../wire';

const RESULTS: Record<string, { word: string; mark: Mark; means: string }> = {
  identical: { word: 'identical', mark: { tone: 'good', glyph: 'check' }, means: 'Made again from its record, it is the same.' },
  same_verdict: { word: 'same verdict', mark: { tone: 'warn', glyph: 'warn' }, means: 'Made again from its record, the verdict is the same, but not all of the rest.' },
  diverged: { word: 'diverged', mark: { tone: 'bad', glyph: 'cross' }, means: 'Made again from its record, it is another decision.' },
  not_replayable: { word: 'not replayable', mark: { tone: 'quiet', glyph: 'dot' }, means: 'It cannot be made again.' },
};

export function resultWord(result: string): string {
  return RESULTS[result]?.word ?? result.replaceAll('_', ' ');
}

export function resultMark(result: string): Mark {
  return RESULTS[result]?.mark ?? { tone: 'quiet', glyph: 'dot' };
}

/** `Made again from its record, it is the same: verdict, reasons, scores, state and fuel are the same.` */
export function resultText(row: VerificationRow): string {
  const means = (RESULTS[row.result]?.means ?? '').replace(/\.$/, '');
  return `${means === '' ? '' : `${means}: `}${row.detail.replace(/\.$/, '')}.`;
}

export function verdictOfAll(report: VerificationReport): { mark: Mark; word: string; text: string } {
  const { looked_at, identical, same_verdict, diverged, not_replayable } = report;
  if (looked_at === 0) return { ...shown('not_replayable'), word: 'nothing to verify', text: 'No decision of this kind is recorded yet.' };
  if (diverged > 0) return { ...shown('diverged'), text: `${plural(diverged, 'decision')} of ${count(looked_at)} came out as another.` };
  if (same_verdict > 0) return { ...shown('same_verdict'), text: `All verdicts are the same, but ${plural(same_verdict, 'decision')} differ in the rest.` };
  if (identical === 0) return { ...shown('not_replayable'), text: `None of ${plural(looked_at, 'decision')} could be made again.` };
  const rest = not_replayable === 0 ? '' : ` ${count(not_replayable)} could not be made again.`;
  return { ...shown('identical'), text: `${not_replayable === 0 ? 'All' : 'All that could be made again,'} ${plural(identical, 'decision')}${not_replayable === 0 ? '' : ','} came out identical.${rest}` };
}

function shown(result: string): { mark: Mark; word: string } {
  return { mark: resultMark(result), word: resultWord(result) };
}

/** Whether all numbers were tried, or why nothing can be told. */
export function flipsText(report: FlipReport): string {
  if (report.why_not !== null) return `Nothing can be told: ${report.why_not.replace(/\.$/, '')}.`;
  const tried = `${plural(report.fields, 'number')} of the context moved one at a time, in ${plural(report.asked, 'question')} to ${report.policy}`;
  const found = report.flips.length === 0 ? 'No single number makes another decision' : 'Nearest first';
  return report.complete ? `${found}: ${tried}.` : `${found}, as far as was tried: the questions ran out before every number was moved (${tried}).`;
}

/** `12 → 31 (+19)` */
export function flipStep(flip: FlipRow): { from: string; to: string; by: string } {
  const by = flip.to - flip.from;
  return { from: number(flip.from), to: number(flip.to), by: `${by > 0 ? '+' : ''}${number(by)}` };
}

export function caseFile(id: number): string {
  return `decision-${id}.json`;
}

/** JSON on lines of its own, by its text alone: numbers stay as the host wrote them, however large. */
export function indented(json: string): string {
  let depth = 0;
  const line = () => '\n' + '  '.repeat(depth);
  return [...json.matchAll(/"(?:[^"\\]|\\.)*"|[{[]\s*[}\]]|[{}[\],:]|[^\s{}[\],:"]+/g)]
    .map(([part]) => {
      if (part === '{' || part === '[') {
        depth += 1;
        return part + line();
      }
      if (part === '}' || part === ']') {
        depth -= 1;
        return line() + part;
      }
      if (part === ',') return part + line();
      return part === ':' ? ': ' : part.length > 1 && /^[{[]\s*[}\]]$/.test(part) ? part[0]! + part.at(-1)! : part;
    })
    .join('');
}
