import { createHash } from "node:crypto";
import { serialize } from "node:v8";
import { LRUCache } from "lru-cache";
import {
  describeModel,
  fileIdentity,
  type ModelDescription,
  type ModelEntry,
  type ModelLibrary,
} from "small-dataset-audio";
import { etagOf } from "./etag.js";
import { notFound, Problem } from "./problem.js";

const MAX_DESCRIPTIONS = 500;
/** A description holds the training configuration, which can be large. */
const MAX_BYTES = 64 * 2 ** 20;

/** A model's entry and the path of its file, which may no longer exist. */
export interface ModelPlace {
  entry: ModelEntry;
  path: string;
}

/** A model's file in its current state. */
export interface ModelFile extends ModelPlace {
  /** Differs after every change of the file */
  identity: string;
  /** ETag of the file and its entry */
  etag: string;
}

/** Descriptions of model files, read once for each state of a file. */
export class ModelFacts {
  readonly #descriptions = new LRUCache<string, ModelDescription>({
    max: MAX_DESCRIPTIONS,
    maxSize: MAX_BYTES,
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
 * A hash that differs after every change of the file.
 *
 * @throws Problem 404
 */
export async function identityOf(path: string): Promise<string> {
  const identity = await fileIdentity(path);
  if (identity === null) {
    throw new Problem(404, "ERR_SDA_NOT_FOUND", "The model's file is missing from the folder.");
  }
  // Hashed, because clients see it, and device and inode are none of their business.
  return createHash("sha256").update(identity).digest("hex");
}
