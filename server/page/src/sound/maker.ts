/** Requests sounds of one model from the server. A new request aborts the previous one. */
import { signal } from "@preact/signals";
import { generate, getSound } from "../api.js";
import { clientId, onProgress } from "../events.js";
import { generateBody, type Settings } from "../model/settings.js";
import { asProblem, isAbort, type Problem } from "../problem.js";
import { randomId } from "../random.js";
import { decode, type Made } from "./made.js";

/** Seconds: long enough to hear a slider's effect, short enough to arrive at once. */
const PREVIEW_S = 1;

export interface Work {
  kind: Made["kind"];
  requestId: string;
  done: number;
  /** Number of chunks; 0 until the server reports it */
  total: number;
}

export class SoundMaker {
  readonly work = signal<Work | null>(null);
  readonly problem = signal<Problem | null>(null);

  readonly #modelId: string;
  readonly #forget: () => void;
  #controller = new AbortController();

  constructor(modelId: string) {
    this.#modelId = modelId;
    this.#forget = onProgress(({ requestId, done, total }) => {
      const work = this.work.peek();
      if (work?.requestId === requestId) this.work.value = { ...work, done, total };
    });
  }

  /** Null after `cancel`, after a newer request, and on failure, which sets `problem`. */
  async make(
    kind: Made["kind"],
    positions: readonly number[],
    settings: Settings,
  ): Promise<Made | null> {
    this.cancel();
    this.#controller = new AbortController();
    const { signal } = this.#controller;
    const requestId = randomId();
    this.work.value = { kind, requestId, done: 0, total: 0 };
    const durationS =
      kind === "full" ? settings.durationS : Math.min(PREVIEW_S, settings.durationS);
    try {
      const body = generateBody(positions, settings, durationS);
      const result = await generate(this.#modelId, body, { clientId, requestId, signal });
      const buffer = await decode(await getSound(result, 32, signal), result.sampleRate);
      if (signal.aborted) return null;
      this.problem.value = null;
      return { kind, result, buffer, positions, settings };
    } catch (error) {
      if (!isAbort(error) && !signal.aborted) this.problem.value = asProblem(error);
      return null;
    } finally {
      if (!signal.aborted) this.work.value = null;
    }
  }

  cancel(): void {
    this.#controller.abort();
    this.work.value = null;
  }

  dispose(): void {
    this.cancel();
    this.#forget();
  }
}
