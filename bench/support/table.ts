/** Prints a table. The first `left` columns are aligned left, the others right. */
export function printTable(lines: readonly (readonly string[])[], left = 0): void {
  const widths = (lines[0] ?? []).map((_, i) =>
    Math.max(...lines.map((line) => line[i]?.length ?? 0)),
  );
  for (const line of lines) {
    const cells = line.map((cell, i) => {
      const width = widths[i] ?? 0;
      return i < left ? cell.padEnd(width) : cell.padStart(width);
    });
    console.log(cells.join("  ").trimEnd());
  }
}
