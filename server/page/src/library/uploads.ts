/** The queue of uploads. One file is sent at a time. */
import { signal } from "@preact/signals";
import { bytes } from "../format.js";
import { announce, notify } from "../notices.js";
import { asProblem, isAbort } from "../problem.js";
import { session } from "../session.js";
import type { ModelDetail } from "../types.js";
import { uploadModel } from "../upload.js";
import { refresh } from "./state.js";

export interface Upload {
  id: number;
  name: string;
  state: "waiting" | "sending" | "reading" | "done" | "failed";
  /** Share of the bytes that have been sent, 0 to 1 */
  share: number;
  /** The error message, or "" */
  failure: string;
  model: ModelDetail | null;
}

export const uploads = signal<readonly Upload[]>([]);

const controllers = new Map<number, AbortController>();
let last = 0;
let queue = Promise.resolve();

export function upload(files: Iterable<File>): void {
  for (const file of files) {
    const id = ++last;
    const entry = { id, name: file.name, share: 0, failure: "", model: null };
    const limit = session.peek()?.maxUploadBytes ?? Number.POSITIVE_INFINITY;
    if (file.size > limit) {
      const failure = `${bytes(file.size)}: this server accepts at most ${bytes(limit)}.`;
      uploads.value = [...uploads.value, { ...entry, state: "failed", failure }];
      continue;
    }
    uploads.value = [...uploads.value, { ...entry, state: "waiting" }];
    controllers.set(id, new AbortController());
    queue = queue.then(() => send(id, file));
  }
}

/** Removes an upload from the list and stops it if it is running. */
export function dismissUpload(id: number): void {
  controllers.get(id)?.abort();
  controllers.delete(id);
  uploads.value = uploads.value.filter((upload) => upload.id !== id);
}

async function send(id: number, file: File): Promise<void> {
  const controller = controllers.get(id);
  if (controller === undefined) return; // dismissed while waiting
  update(id, { state: "sending" });
  try {
    const progress = (share: number) =>
      update(id, { share, state: share < 1 ? "sending" : "reading" });
    const model = await uploadModel(file, progress, controller.signal);
    update(id, { state: "done", share: 1, model });
    notify(`Added ${model.name}`);
    refresh();
  } catch (error) {
    if (isAbort(error)) return;
    const failure = asProblem(error).message;
    update(id, { state: "failed", failure });
    announce(`${file.name} was not added: ${failure}`);
  } finally {
    controllers.delete(id);
  }
}

function update(id: number, change: Partial<Upload>): void {
  uploads.value = uploads.value.map((upload) =>
    upload.id === id ? { ...upload, ...change } : upload,
  );
}
