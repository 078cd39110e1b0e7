/**
 * The limits of `updateModel`: lengths of texts in UTF-16 code units, and the number of tags. Files
 * from elsewhere may exceed them.
 * @example
 * ```js
 * const name = "Pads for the stage";
 * console.log(name.length <= CHANGE_LIMITS.name); // true
 * ```
 */
export const CHANGE_LIMITS = {
  name: 200,
  description: 10_000,
  tag: 100,
  tags: 100,
  componentLabel: 100,
} as const;
