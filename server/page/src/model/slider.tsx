import { featureName, percent } from "../format.js";
import type { SliderInfo } from "../types.js";
import type { Desk } from "./desk.js";
import { stretches, valueText, zoneOf, zoneText } from "./zones.js";

/** A native range input, which supports the keyboard, on a track that shows the zones. */
export function Slider({ desk, slider }: { desk: Desk; slider: SliderInfo }) {
  const { index, label, suggestedLabel, minStep, maxStep, varianceExplainedPct } = slider;
  const position = desk.positions.value[index] ?? 0;
  const zone = zoneOf(position, slider);
  const id = `slider-${index}`;
  const follows = suggestedLabel !== "" && suggestedLabel !== label;
  return (
    <div class={`slider ${zone}`}>
      <div class="slider-head">
        <label for={id}>{label}</label>
        <span id={`${id}-about`} class="muted">
          {follows && <span>follows {featureName(suggestedLabel)}</span>}
          <span title="Share of the training sounds' variance that this slider covers">
            {percent(varianceExplainedPct)}
            <span class="visually-hidden"> of the variance</span>
          </span>
        </span>
        <output for={id} aria-live="off" title={zoneText(zone)}>
          {position > 0 ? `+${position}` : String(position).replace("-", "\u2212")}
        </output>
      </div>
      <div class="slider-track" style={trackStyle(slider)}>
        <input
          id={id}
          type="range"
          min={minStep}
          max={maxStep}
          step={1}
          value={position}
          aria-valuetext={valueText(position, slider)}
          aria-describedby={`${id}-about`}
          onInput={({ currentTarget }) => desk.move(index, currentTarget.valueAsNumber)}
          onChange={() => desk.commit()}
          onDblClick={() => desk.reset(index)}
        />
      </div>
    </div>
  );
}

/** The zones as CSS variables; the style sheet draws them. */
function trackStyle(slider: SliderInfo): Record<`--${string}`, string> {
  const { safe, warning } = stretches(slider);
  const span = slider.maxStep - slider.minStep;
  return {
    "--safe-start": String(safe.start),
    "--safe-end": String(safe.end),
    "--warning-start": String(warning.start),
    "--warning-end": String(warning.end),
    "--centre": String(span === 0 ? 0.5 : -slider.minStep / span),
  };
}
