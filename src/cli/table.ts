import { printable } from '../base/printable.js';

/** Columns as wide as they need to be; numbers to the right, text, made printable, to the left. */
export function formatTable(
  columns: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const cells = rows.map((row) =>
    row.map((cell) => (typeof cell === 'number' ? rounded(cell) : printable(cell))),
  );
  const widths = columns.map((column, i) => Math.max(column.length, ...cells.map((row) => row[i]!.length)));
  const toRight = columns.map((_, i) => rows.every((row) => typeof row[i] === 'number'));
  const line = (texts: readonly string[]) =>
    texts
      .map((text, i) => (toRight[i] ? text.padStart(widths[i]!) : text.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  return [line(columns), line(widths.map((width) => '-'.repeat(width))), ...cells.map(line)].join('\n');
}

/** Three digits that matter, or the whole number. */
export function rounded(value: number): string {
  return Math.abs(value) >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}
