/** Facts of model files that the index lacks, read once for each state of a file. */
import { fileIdentity } from "../base/file-identity.js";
import type { GenerationName } from "../format/generations.js";

/** So many files are remembered; the one that was read first is forgotten first. */
const REMEMBERED = 10_000;

export class FileFacts {
  /** By the file's identity */
  readonly #generations = new Map<string, GenerationName>();

  /** @throws SdaError as `readMetadata` */
  async generationOf(path: string): Promise<GenerationName> {
    const identity = await fileIdentity(path);
    const known = identity === null ? undefined : this.#generations.get(identity);
    if (known) return known;
    const { readMetadata } = await import("../format/read-metadata.js");
    const { generation } = await readMetadata(path);
    // Only a file that was the same before and after it was read is known by its identity.
    if (identity !== null && (await fileIdentity(path)) === identity) {
      if (this.#generations.size >= REMEMBERED) {
        const [oldest] = this.#generations.keys();
        this.#generations.delete(oldest as string);
      }
      this.#generations.set(identity, generation);
    }
    return generation;
  }
}
