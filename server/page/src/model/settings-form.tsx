import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { LIMITS } from "../../../../lib/audio/limits.js";
import { hertz } from "../format.js";
import { randomSeed } from "../random.js";
import { maxDurationS } from "../session.js";
import { Icon } from "../ui/icons.js";
import type { Desk } from "./desk.js";
import { SeedInput } from "./seed-input.js";
import { MIN_DURATION_S, type Settings } from "./settings.js";

const MODE_TEXT = { crossfade: "Crossfade", latent_interpolation: "Interpolation" };
const SPATIAL_TEXT = { mono: "Mono", stereo: "Stereo", dual_seed: "Two seeds" };

/** On narrow screens the settings start closed, so that the sliders are in reach. */
const isWide = matchMedia("(min-width: 60rem)").matches;

export function SettingsForm({ desk }: { desk: Desk }) {
  const s = desk.settings.value;
  const change = (settings: Partial<Settings>) => desk.change(settings);
  return (
    <details class="settings" open={isWide}>
      <summary>
        <h3>Settings</h3>
      </summary>
      <Duration value={s.durationS} onDuration={(durationS) => change({ durationS })} />
      <Choice
        label="Join chunks by"
        value={s.mode}
        options={LIMITS.concatModes.map((value) => ({ value, text: MODE_TEXT[value] }))}
        onChoice={(mode) => change({ mode })}
      />
      <Choice
        label="Channels"
        value={s.spatial}
        options={LIMITS.spatialModes.map((value) => ({ value, text: SPATIAL_TEXT[value] }))}
        onChoice={(spatial) => change({ spatial })}
      />
      {s.spatial === "stereo" && (
        <>
          <Amount
            label="Width"
            limits={LIMITS.width}
            value={s.width}
            onAmount={(width) => change({ width })}
          />
          <Amount
            label="Depth"
            limits={LIMITS.depth}
            value={s.depth}
            onAmount={(depth) => change({ depth })}
          />
        </>
      )}
      <Choice
        label="Sample rate"
        value={String(s.sampleRate)}
        options={LIMITS.sampleRates.map((rate) => ({ value: String(rate), text: hertz(rate) }))}
        onChoice={(rate) => change({ sampleRate: Number(rate) as Settings["sampleRate"] })}
      />
      <div class="setting with-button">
        <SeedInput label="Seed" value={s.seed} onSeed={(seed) => change({ seed })} />
        <button
          type="button"
          class="quiet icon-only"
          aria-label="New random seed"
          title="New random seed"
          onClick={() => change({ seed: randomSeed() })}
        >
          <Icon name="dice" />
        </button>
      </div>
      <label class="check">
        <input
          type="checkbox"
          checked={desk.previews.value}
          onChange={({ currentTarget }) => desk.setPreviews(currentTarget.checked)}
        />
        Play a 1 s preview after each change
      </label>
    </details>
  );
}

function Setting({
  id,
  label,
  children,
}: {
  id: string;
  label: string;
  children: ComponentChildren;
}) {
  return (
    <div class="setting">
      <label for={id}>{label}</label>
      {children}
    </div>
  );
}

function Duration({ value, onDuration }: { value: number; onDuration: (s: number) => void }) {
  const id = useId();
  const max = maxDurationS.value;
  const take = (input: HTMLInputElement) => {
    const typed = input.valueAsNumber;
    if (Number.isNaN(typed)) input.value = String(value);
    else onDuration(Math.min(max, Math.max(MIN_DURATION_S, Number(typed.toFixed(2)))));
  };
  return (
    <Setting id={id} label="Duration in seconds">
      <input
        id={id}
        type="number"
        min={MIN_DURATION_S}
        max={max}
        step="any"
        value={value}
        onChange={({ currentTarget }) => take(currentTarget)}
      />
    </Setting>
  );
}

interface ChoiceProps<T extends string> {
  label: string;
  value: T;
  options: readonly { value: T; text: string }[];
  onChoice: (value: T) => void;
}

function Choice<T extends string>({ label, value, options, onChoice }: ChoiceProps<T>) {
  const id = useId();
  return (
    <Setting id={id} label={label}>
      <select
        id={id}
        value={value}
        onChange={({ currentTarget }) => onChoice(currentTarget.value as T)}
      >
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.text}
          </option>
        ))}
      </select>
    </Setting>
  );
}

interface AmountProps {
  label: string;
  limits: { readonly min: number; readonly max: number };
  value: number;
  onAmount: (value: number) => void;
}

function Amount({ label, limits, value, onAmount }: AmountProps) {
  const id = useId();
  return (
    <Setting id={id} label={label}>
      <input
        id={id}
        type="range"
        min={limits.min}
        max={limits.max}
        step={0.05}
        value={value}
        onInput={({ currentTarget }) => onAmount(Number(currentTarget.valueAsNumber.toFixed(2)))}
      />
      <output for={id} aria-live="off">
        {value.toFixed(2)}
      </output>
    </Setting>
  );
}
