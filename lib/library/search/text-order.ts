/** Order and case of text as Python has them. */

/**
 * `str.lower`. JavaScript's does the same: Unicode's full mapping, special cases ("İ", a final "Σ") included, whatever
 * the locale. They can differ only in letters newer than either's Unicode version.
 */
export function lower(text: string): string {
  return text.toLowerCase();
}

/** By code point. JavaScript's `<` goes by UTF-16 unit, which puts what lies above U+FFFF before U+E000 to U+FFFF. */
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

/** Moves surrogates above all other units. Where both texts have one, the first that differs decides rightly, too. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

/** Whether `<` alone can go wrong with it. */
export function needsCodePoints(text: string): boolean {
  return /[\ud800-\uffff]/.test(text);
}
