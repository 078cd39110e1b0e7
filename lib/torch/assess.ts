import type { InspectResult } from "../native/types.js";

/** The result of `assess`. */
export interface Assessment {
  /** "safe": `refused` is empty */
  verdict: "safe" | "refused";
  /** Globals that `load` refuses, and globals of the Python program that may be functions */
  refused: string[];
  /** Globals that stand for plain data: dicts, tensors, storages, arrays, numbers */
  known: string[];
  /** All globals of the Python program, `small_dataset_audio.*`; some are also in `refused` */
  project: string[];
}

/**
 * Judges from the result of `inspect` whether a file holds data alone. Every global of the file is
 * in `known`, `project` or `refused`. The reader's own list defines the known globals.
 *
 * "safe" means two things. `load` does not refuse the file because of a global. And Python's
 * `pickle` would call only builders of plain data and, if `project` is not empty, the program's
 * Enum; for the Enum, it would import the program's module. Any other global of the program is
 * refused, although `load` reads it without harm: in Python it may be a function, such as the one
 * that deletes a model, and the pickle may call it.
 *
 * "safe" does not mean that the file is undamaged (see `verifyFile`) or that its values make sense.
 * When `inspect` rejects a file, there is nothing to assess: treat the file as refused.
 *
 * @param found the result of `inspect`
 * @example
 * ```js
 * const { verdict, refused } = assess(await inspect("checkpoint.pt"));
 * console.log(verdict === "safe" ? "plain data" : `refused: ${refused.join(", ")}`);
 * ```
 */
export function assess(found: Pick<InspectResult, "globals" | "globalKinds">): Assessment {
  const named = (...kinds: InspectResult["globalKinds"]) =>
    found.globals.filter((_, i) => kinds.includes(found.globalKinds[i] ?? "unknown"));
  const refused = named("unknown", "project-code");
  return {
    verdict: refused.length === 0 ? "safe" : "refused",
    refused,
    known: named("known"),
    project: named("project", "project-code"),
  };
}
