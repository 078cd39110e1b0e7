/** The longest texts, in UTF-16 code units, and the most tags that `updateModel` takes; files may hold more. */
export const CHANGE_LIMITS = {
  name: 200,
  description: 10_000,
  tag: 100,
  tags: 100,
  componentLabel: 100,
} as const;
