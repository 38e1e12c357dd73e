/** A unified diff as rows with the line numbers of both sides. */

export type DiffRow = { kind: 'hunk' | 'added' | 'removed' | 'same' | 'note'; before: number | null; after: number | null; text: string };

export function diffRows(unified: string): DiffRow[] {
  const rows: DiffRow[] = [];
  let before = 0;
  let after = 0;
  // Before the first hunk stand the names of the two sides, which the page shows itself.
  let inside = false;
  for (const line of unified.replace(/\n$/, '').split('\n')) {
    const hunk = /^@@ -([0-9]+)(?:,[0-9]+)? \+([0-9]+)(?:,[0-9]+)? @@/.exec(line);
    if (hunk !== null) {
      inside = true;
      [before, after] = [Number(hunk[1]), Number(hunk[2])];
      rows.push({ kind: 'hunk', before: null, after: null, text: line });
    } else if (!inside) continue;
    else if (line.startsWith('+')) rows.push({ kind: 'added', before: null, after: after++, text: line.slice(1) });
    else if (line.startsWith('-')) rows.push({ kind: 'removed', before: before++, after: null, text: line.slice(1) });
    else if (line.startsWith('\\')) rows.push({ kind: 'note', before: null, after: null, text: line.slice(1).trim() });
    else rows.push({ kind: 'same', before: before++, after: after++, text: line.slice(1) });
  }
  return rows;
}

export function diffCounts(rows: readonly DiffRow[]): { added: number; removed: number } {
  return { added: rows.filter((row) => row.kind === 'added').length, removed: rows.filter((row) => row.kind === 'removed').length };
}
