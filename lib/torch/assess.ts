import type { InspectResult } from "../native/types.js";

/** What `assess` makes of a file. */
export interface Assessment {
  /** "safe": nothing in `refused`. */
  verdict: "safe" | "refused";
  /** What stands against the file: globals that `load` refuses, and functions of the Python program. */
  refused: string[];
  /** Globals that stand for plain data: dicts, tensors, storages, arrays, numbers. */
  known: string[];
  /** Globals of the Python program, `small_dataset_audio.*`; those that are also in `refused` included. */
  project: string[];
}

/**
 * Judges by its globals whether a file is data alone, from what `inspect` found; every name is in
 * `known`, `project` or `refused`. Which globals are known is the reader's own list.
 *
 * "safe" says two things. `load` will not refuse the file for what its pickle names or calls. And
 * Python's `pickle` would call nothing for it but builders of plain data and, where `project` is not
 * empty, the program's Enum, for which it imports the program's module. Any other global of the
 * program is refused here although `load` describes it without harm: in Python the name may be of a
 * function, such as the one that deletes a model, and the pickle may call it.
 *
 * "safe" does not say that the file is undamaged (`verifyFile` does) or that its values make sense. A
 * file that `inspect` itself rejects has no assessment: treat it as refused.
 */
export function assess(found: InspectResult): Assessment {
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
