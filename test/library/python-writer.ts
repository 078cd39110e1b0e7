/** A Python program that writes the index as the original application does: without a lock. */
import { spawn } from "node:child_process";
import { python, runPython } from "../support/python.js";

const SCRIPT = `
import json, os, sys
folder, name, count = sys.argv[1:]
index = os.path.join(folder, "model_library.json")
for i in range(int(count)):
    data = json.load(open(index))
    entry = f"{name}-{i}"
    data["models"][entry] = dict(
        next(iter(data["models"].values())), model_id=entry, file_path=f"{entry}.sda"
    )
    json.dump(data, open(index + ".new", "w"), indent=2)
    os.replace(index + ".new", index)`;

/** Adds one entry, whose id is `NAME-0`. */
export function addEntryInPython(folder: string, name: string): void {
  runPython(["-c", SCRIPT, folder, name, "1"]);
}

/** Adds entries one after the other, with the ids `python-0`, `python-1` and so on. */
export function addEntriesInPython(folder: string, count: number) {
  const ids = Array.from({ length: count }, (_, i) => `python-${i}`);
  const child = spawn(python as string, ["-c", SCRIPT, folder, "python", String(count)]);
  const writer = { ids, isRunning: true, ended: Promise.resolve<number | null>(null) };
  writer.ended = new Promise((done) => {
    child.on("close", (code) => {
      writer.isRunning = false;
      done(code);
    });
  });
  return writer;
}
