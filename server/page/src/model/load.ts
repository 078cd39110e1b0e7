/** One model's data from the server, kept up to date while its page is open. */
import { type Signal, signal } from "@preact/signals";
import { changeModel, deleteModel, getModel, getSliders, type Tagged } from "../api.js";
import { onLibraryChange } from "../events.js";
import { notify } from "../notices.js";
import { asProblem, isAbort, type Problem } from "../problem.js";
import type { ModelChange, ModelDetail, Sliders } from "../types.js";

export class OpenModel {
  readonly id: string;
  readonly detail: Signal<Tagged<ModelDetail> | null> = signal(null);
  readonly sliders: Signal<Sliders | null> = signal(null);
  readonly problem: Signal<Problem | null> = signal(null);

  readonly #forget: () => void;
  #controller = new AbortController();
  #saving: Promise<void> = Promise.resolve();
  #isDeleting = false;

  constructor(id: string) {
    this.id = id;
    this.#forget = onLibraryChange((change) => {
      if (this.#isDeleting) return;
      if (change === null) return void this.fetch();
      if (change.removed.includes(id)) return void this.fetch();
      if (change.changed.includes(id) || change.added.includes(id)) void this.#fetchChange();
    });
    void this.fetch();
  }

  async fetch(): Promise<void> {
    this.#controller.abort();
    this.#controller = new AbortController();
    const { signal } = this.#controller;
    try {
      const [detail, sliders] = await Promise.all([
        getModel(this.id, signal),
        getSliders(this.id, signal),
      ]);
      this.detail.value = detail;
      this.sliders.value = sliders;
      this.problem.value = null;
    } catch (error) {
      if (!isAbort(error)) this.problem.value = asProblem(error);
    }
  }

  /** @throws Problem 412 when the model has changed since it had this `etag` */
  async change(change: ModelChange, etag: string | null): Promise<void> {
    const saving = changeModel(this.id, change, etag);
    this.#saving = saving.then(
      () => {},
      () => {},
    );
    this.detail.value = await saving;
    if (change.componentLabels) await this.fetch();
  }

  /** Deletes the model. Ignores the event of this change, which can arrive before the response. */
  async delete(): Promise<void> {
    this.#isDeleting = true;
    try {
      await deleteModel(this.id);
    } catch (error) {
      this.#isDeleting = false;
      throw error;
    }
  }

  dispose(): void {
    this.#controller.abort();
    this.#forget();
  }

  /**
   * Notifies the user of changes by others. The event of this page's own change can arrive before
   * its response, so this waits for the response first.
   */
  async #fetchChange(): Promise<void> {
    await this.#saving;
    const before = this.detail.peek()?.etag;
    await this.fetch();
    const after = this.detail.peek();
    if (before !== undefined && after !== null && after.etag !== before) {
      notify(`Someone else changed ${after.value.name}`);
    }
  }
}
