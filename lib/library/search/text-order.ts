/** Order and lower case of text, as in Python. */

/**
 * Python's `str.lower`. JavaScript's `toLowerCase` gives the same: Unicode's full case mapping with
 * its special cases ("İ", a final "Σ"), in every locale. The two can differ only in letters that
 * one of their Unicode versions lacks.
 */
export function lower(text: string): string {
  return text.toLowerCase();
}

/**
 * Compares by code point, as Python does. JavaScript's `<` compares UTF-16 units, which sorts
 * characters above U+FFFF before U+E000 to U+FFFF.
 */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/**
 * Ranks surrogates above all other units. Two surrogates compare as units, which gives the order of
 * their code points.
 */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

/** Whether the text has a character that `<` may sort differently. */
export function needsCodePoints(text: string): boolean {
  return /[\ud800-\uffff]/.test(text);
}
