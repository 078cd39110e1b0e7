import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { announce } from "../notices.js";
import { randomSeed } from "../random.js";
import type { ModelDetail } from "../types.js";
import { Icon } from "../ui/icons.js";
import type { Desk } from "./desk.js";
import { EncodeButton } from "./encode.js";
import { SeedInput } from "./seed-input.js";
import { Slider } from "./slider.js";

export function SliderPanel({ desk, model }: { desk: Desk; model: ModelDetail }) {
  const { sliders } = desk.sliders.value;
  useUndoKeys(desk);
  if (sliders.length === 0) {
    return (
      <section class="panel slider-panel" aria-labelledby="sliders-title">
        <h2 id="sliders-title">Sliders</h2>
        <p>
          This model has no sliders, because its latent space was not analysed. It still makes
          sound: each seed gives another one.
        </p>
      </section>
    );
  }
  return (
    <section class="panel slider-panel" aria-labelledby="sliders-title">
      <div class="panel-head">
        <h2 id="sliders-title">Sliders</h2>
        <div class="row">
          <button
            type="button"
            class="quiet icon-only"
            aria-label="Undo"
            title="Undo (Ctrl+Z)"
            disabled={!desk.canUndo.value}
            onClick={() => desk.undo()}
          >
            <Icon name="undo" />
          </button>
          <button
            type="button"
            class="quiet icon-only"
            aria-label="Redo"
            title="Redo (Ctrl+Shift+Z)"
            disabled={!desk.canRedo.value}
            onClick={() => desk.redo()}
          >
            <Icon name="redo" />
          </button>
        </div>
      </div>
      <div class="row toolbar">
        <Randomise desk={desk} />
        <button
          type="button"
          class="quiet"
          onClick={() => {
            desk.centre();
            announce("All sliders are at 0");
          }}
        >
          <Icon name="centre" />
          Centre
        </button>
        <EncodeButton desk={desk} model={model} />
      </div>
      <div class="sliders">
        {sliders.map((slider) => (
          <Slider key={slider.index} desk={desk} slider={slider} />
        ))}
      </div>
      <p class="legend">
        <span class="safe">like the training sounds</span>
        <span class="warning">unusual</span>
        <span class="beyond">outside the training sounds</span>
        <span class="muted">Double-click a slider to set it to 0.</span>
      </p>
    </section>
  );
}

/** Moves the sliders to the random positions of a seed: a new seed per click, or a typed one. */
function Randomise({ desk }: { desk: Desk }) {
  const seed = useSignal<number | null>(null);
  const apply = (value: number) => {
    seed.value = value;
    desk.randomise(value);
    announce(`Sliders moved to random positions of seed ${value}`);
  };
  return (
    <div class="row randomise">
      <button type="button" onClick={() => apply(randomSeed())}>
        <Icon name="dice" />
        Randomise
      </button>
      <SeedInput label="seed" value={seed.value} onSeed={apply} />
    </div>
  );
}

function useUndoKeys(desk: Desk): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
      const { target } = event;
      const isText =
        target instanceof HTMLTextAreaElement ||
        (target instanceof HTMLInputElement && target.type !== "range");
      if (isText || document.querySelector("dialog[open]")) return;
      const key = event.key.toLowerCase();
      if (key === "z" && !event.shiftKey) desk.undo();
      else if (key === "y" || (key === "z" && event.shiftKey)) desk.redo();
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [desk]);
}
