/** The changes that `updateModel` makes, and their checks. */
import { badArgument, checkFilledText, checkText } from "../../base/check.js";
import { CHANGE_LIMITS } from "./change-limits.js";

export { CHANGE_LIMITS };

/** Changes of a model's metadata and labels. An absent field stays as it is. */
export interface ModelChanges {
  /** Not blank */
  name?: string;
  description?: string;
  /** The complete new list of tags; an empty array removes all tags */
  tags?: string[];
  /** One label per slider, in the sliders' order; only for a model with an analysis */
  componentLabels?: string[];
}

/**
 * Checks the changes and returns a copy of them.
 *
 * @throws SdaError ERR_SDA_ARGUMENT (`details.option`)
 */
export function checkChanges(changes: unknown): ModelChanges {
  if (typeof changes !== "object" || changes === null || Array.isArray(changes)) {
    throw badArgument("changes", "an object", changes);
  }
  const checked: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(changes)) {
    if (!Object.hasOwn(CHECKS, key)) {
      throw badArgument(key, `absent (only ${FIELDS} can be changed)`, value);
    }
    if (value !== undefined) checked[key] = CHECKS[key as keyof ModelChanges](key, value);
  }
  return checked;
}

type Check = (option: string, value: unknown) => unknown;

const CHECKS: Record<keyof ModelChanges, Check> = {
  name: (option, value) => checkFilledText(option, value, CHANGE_LIMITS.name),
  description: (option, value) => checkText(option, value, CHANGE_LIMITS.description),
  tags(option, value) {
    const tags = list(option, value);
    if (tags.length > CHANGE_LIMITS.tags) {
      throw badArgument(option, `at most ${CHANGE_LIMITS.tags} tags`, value);
    }
    return tags.map((tag) => checkFilledText(option, tag, CHANGE_LIMITS.tag));
  },
  componentLabels: (option, value) =>
    list(option, value).map((label) => checkText(option, label, CHANGE_LIMITS.componentLabel)),
};

const FIELDS = Object.keys(CHECKS).join(", ");

function list(option: string, value: unknown): unknown[] {
  if (!Array.isArray(value)) throw badArgument(option, "an array of strings", value);
  return Array.from(value); // turns holes into undefined, which the caller refuses
}
