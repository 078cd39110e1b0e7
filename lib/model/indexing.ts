import { basename } from "node:path";
import { ModelLibrary } from "../library/model-library.js";
import type { ModelMetadata } from "./metadata.js";

/** Enters a new model file into its folder's index. Until that is done, the file is whole but found by repair only. */
export async function addToIndex(
  modelsDir: string,
  file: { path: string; bytes: number },
  metadata: ModelMetadata,
): Promise<void> {
  const library = await ModelLibrary.open(modelsDir);
  await library.addEntry({
    ...metadata,
    filePath: basename(file.path),
    fileSizeBytes: file.bytes,
  });
}
