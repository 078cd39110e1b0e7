/**
 * The state of a model's page: two slots, A and B, each with positions, settings and a sound. One
 * slot is active at a time.
 */
import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { Pcg64 } from "../../../../lib/latent/pcg64.js";
import { randomPositions } from "../../../../lib/latent/positions.js";
import { randomSeed } from "../random.js";
import { currentQuery, rewrite, modelId as routedModel } from "../route.js";
import type { Made } from "../sound/made.js";
import { SoundMaker } from "../sound/maker.js";
import { Player } from "../sound/player.js";
import type { Sliders } from "../types.js";
import {
  comparedOf,
  comparing,
  positionsOf,
  queryOf,
  type Settings,
  type SlotName,
  settingsOf,
} from "./settings.js";
import { begin, type History, redo, step, undo } from "./undo.js";

const PREVIEW_PAUSE_MS = 120;
/** Browsers limit how often a page may call `history.replaceState`. */
const ADDRESS_PAUSE_MS = 250;
const PREVIEW_KEY = "sda-preview";

class Slot {
  readonly history: Signal<History<readonly number[]>>;
  /** Current slider positions. During a drag they are newer than the history. */
  readonly positions: Signal<readonly number[]>;
  readonly settings: Signal<Settings>;
  readonly made: Signal<Made | null>;

  constructor(positions: readonly number[], settings: Settings, made: Made | null = null) {
    this.history = signal(begin(positions));
    this.positions = signal(positions);
    this.settings = signal(settings);
    this.made = signal(made);
  }

  copy(): Slot {
    return new Slot(this.positions.peek(), this.settings.peek(), this.made.peek());
  }

  address(modelId: string): URLSearchParams {
    return queryOf(modelId, this.positions.value, this.settings.value);
  }
}

/** The slot of a URL's query, and whether the query holds positions that do not fit `sliders`. */
function slotOf(
  query: URLSearchParams,
  { sliders, half }: Sliders,
  maxDurationS: number,
): [Slot, isRefused: boolean] {
  const asked = positionsOf(query, sliders.length, half);
  const positions = asked ?? new Array<number>(sliders.length).fill(0);
  const slot = new Slot(positions, settingsOf(query, randomSeed(), maxDurationS));
  return [slot, asked === null && query.has("sliders")];
}

export class Desk {
  readonly modelId: string;
  readonly sliders: Signal<Sliders>;
  readonly player = new Player();
  readonly maker: SoundMaker;
  readonly active: Signal<SlotName>;
  readonly previews = signal(localStorage.getItem(PREVIEW_KEY) !== "off");
  /** Whether the URL holds positions that do not fit this model's sliders */
  readonly addressRefused: boolean;

  readonly #slots: { A: Signal<Slot>; B: Signal<Slot | null> };
  readonly #slot: ReadonlySignal<Slot>;
  readonly #ends: (() => void)[] = [];
  #previewTimer: ReturnType<typeof setTimeout> | undefined;

  readonly positions = computed(() => this.#slot.value.positions.value);
  readonly settings = computed(() => this.#slot.value.settings.value);
  readonly made = computed(() => this.#slot.value.made.value);
  readonly canUndo = computed(() => this.#slot.value.history.value.past.length > 0);
  readonly canRedo = computed(() => this.#slot.value.history.value.future.length > 0);
  /** Whether the displayed sound is the full sound of the current positions and settings. */
  readonly isCurrent = computed(() => {
    const made = this.made.value;
    return made?.kind === "full" && this.#isOf(made);
  });
  /** Whether positions or settings have changed since the displayed sound was made. */
  readonly isStale = computed(() => this.made.value !== null && !this.#isOf(this.made.value));

  constructor(modelId: string, sliders: Sliders, maxDurationS: number) {
    this.modelId = modelId;
    this.sliders = signal(sliders);
    this.maker = new SoundMaker(modelId);
    const query = currentQuery();
    const { active, other } = comparedOf(query);
    const [shown, isRefused] = slotOf(query, sliders, maxDurationS);
    const [hidden] = other === null ? [null] : slotOf(other, sliders, maxDurationS);
    this.addressRefused = isRefused;
    this.active = signal(active);
    this.#slots =
      active === "A"
        ? { A: signal(shown), B: signal(hidden) }
        : { A: signal(hidden ?? shown.copy()), B: signal(shown) };
    this.#slot = computed(() =>
      this.active.value === "B" && this.#slots.B.value ? this.#slots.B.value : this.#slots.A.value,
    );
    this.#ends.push(this.#keepAddress());
  }

  /** Moves a slider during a drag: previews the sound, adds no step to the history. */
  move(index: number, position: number): void {
    const slot = this.#slot.peek();
    slot.positions.value = slot.positions.peek().with(index, position);
    this.#previewSoon();
  }

  /** Ends a drag: adds the positions to the history as one step. */
  commit(): void {
    const { history, positions } = this.#slot.peek();
    const next = positions.peek();
    if (same(next, history.peek().present)) return;
    history.value = step(history.peek(), next);
  }

  set(positions: readonly number[]): void {
    this.#slot.peek().positions.value = positions;
    this.commit();
    this.#previewSoon();
  }

  reset(index: number): void {
    this.set(this.positions.peek().with(index, 0));
  }

  centre(): void {
    this.set(this.positions.peek().map(() => 0));
  }

  /** Moves the sliders to the positions that `randomizeSliders` gives for this seed. */
  randomise(seed: number): void {
    this.set(randomPositions(this.sliders.peek().sliders, new Pcg64(seed)));
  }

  undo(): void {
    this.#travel(undo);
  }

  redo(): void {
    this.#travel(redo);
  }

  change(settings: Partial<Settings>): void {
    const slot = this.#slot.peek();
    slot.settings.value = { ...slot.settings.peek(), ...settings };
    this.#previewSoon();
  }

  /** Activates a slot; playback goes on without a gap. Slot B starts as a copy of slot A. */
  switchTo(name: SlotName): void {
    if (name === this.active.peek()) return;
    if (name === "B" && this.#slots.B.peek() === null)
      this.#slots.B.value = this.#slot.peek().copy();
    clearTimeout(this.#previewTimer);
    this.active.value = name;
    this.player.load(this.made.peek()?.buffer ?? null, { keepPosition: true });
  }

  /** Copies the active slot to the other one. */
  copyToOther(): void {
    this.#slots[this.active.peek() === "A" ? "B" : "A"].value = this.#slot.peek().copy();
  }

  setPreviews(on: boolean): void {
    this.previews.value = on;
    localStorage.setItem(PREVIEW_KEY, on ? "on" : "off");
    if (!on) clearTimeout(this.#previewTimer);
  }

  /** Makes the full sound of the current positions and settings; null if cancelled or failed. */
  async makeFull({ play = true } = {}): Promise<Made | null> {
    clearTimeout(this.#previewTimer);
    return this.#make("full", play);
  }

  dispose(): void {
    clearTimeout(this.#previewTimer);
    for (const end of this.#ends) end();
    this.maker.dispose();
    this.player.dispose();
  }

  #travel(way: typeof undo): void {
    const slot = this.#slot.peek();
    const history = way(slot.history.peek());
    if (history === slot.history.peek()) return;
    slot.history.value = history;
    slot.positions.value = history.present;
    this.#previewSoon();
  }

  #isOf({ positions, settings }: Made): boolean {
    return same(positions, this.positions.value) && settings === this.settings.value;
  }

  #previewSoon(): void {
    clearTimeout(this.#previewTimer);
    if (!this.previews.peek()) return;
    this.#previewTimer = setTimeout(() => void this.#make("preview", true), PREVIEW_PAUSE_MS);
  }

  async #make(kind: Made["kind"], play: boolean): Promise<Made | null> {
    const slot = this.#slot.peek();
    const made = await this.maker.make(kind, slot.positions.peek(), slot.settings.peek());
    if (made === null) return null;
    slot.made.value = made;
    if (slot !== this.#slot.peek()) return made;
    this.player.load(made.buffer);
    if (play) this.player.play();
    return made;
  }

  #keepAddress(): () => void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = effect(() => {
      const active = this.active.value;
      const other = this.#slots[active === "A" ? "B" : "A"].value?.address(this.modelId) ?? null;
      const query = comparing(this.#slot.value.address(this.modelId), { active, other });
      clearTimeout(timer);
      timer = setTimeout(() => {
        if (routedModel.peek() === this.modelId) rewrite(query);
      }, ADDRESS_PAUSE_MS);
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }
}

function same(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
