import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { serialize } from "node:v8";
import { LRUCache } from "lru-cache";
import {
  describeModel,
  type ModelDescription,
  type ModelEntry,
  type ModelLibrary,
} from "small-dataset-audio";
import { etagOf } from "./etag.js";
import { notFound, Problem } from "./problem.js";

const KEPT = 500;
/** Files may have much to say. */
const KEPT_BYTES = 64 * 2 ** 20;

/** Where a model's file is, or was. */
export interface ModelPlace {
  entry: ModelEntry;
  path: string;
}

/** A model's file as it is now. */
export interface ModelFile extends ModelPlace {
  /** Changes with every change of the file */
  identity: string;
  /** Of the file and its entry together */
  etag: string;
}

/** What model files say of themselves, read once for each state of a file. */
export class ModelFacts {
  readonly #descriptions = new LRUCache<string, ModelDescription>({
    max: KEPT,
    maxSize: KEPT_BYTES,
    sizeCalculation: (description) => serialize(description).byteLength,
  });

  /** @throws Problem 404: no such model; SdaError ERR_SDA_UNSAFE */
  async locate(library: ModelLibrary, id: string): Promise<ModelPlace> {
    const entry = library.get(id);
    const path = await library.pathOf(id);
    if (entry === null || path === null) throw notFound("model");
    return { entry, path };
  }

  /** @throws as `locate`; Problem 404: the file is missing */
  async find(library: ModelLibrary, id: string): Promise<ModelFile> {
    const { entry, path } = await this.locate(library, id);
    const identity = await identityOf(path);
    return { entry, path, identity, etag: etagOf(identity, JSON.stringify(entry)) };
  }

  /** @throws SdaError as `describeModel` */
  async describe(file: ModelFile, signal?: AbortSignal): Promise<ModelDescription> {
    const known = this.#descriptions.get(file.identity);
    if (known) return known;
    const description = await describeModel(file.path, signal && { signal });
    this.#descriptions.set(file.identity, description);
    return description;
  }
}

/**
 * Changes with every change of the file.
 *
 * @throws Problem 404
 */
export async function identityOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    // Hashed, because it becomes part of what clients see.
    return createHash("sha256").update([dev, ino, size, mtimeNs, ctimeNs].join(":")).digest("hex");
  } catch (error) {
    const missing = ["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
    if (!missing) throw error;
    throw new Problem(404, "ERR_SDA_NOT_FOUND", "The model's file is missing from the folder.");
  }
}
