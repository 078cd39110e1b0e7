import { badArgument } from "../base/check.js";
import type { SliderInfo } from "../latent/sliders.js";
import type { SliderSetting } from "./options.js";

/**
 * The positions of all sliders, from the settings of --slider. The other sliders are at 0.
 *
 * @throws SdaError ERR_SDA_ARGUMENT: there is no such slider, or it has no such position
 */
export function sliderPositions(
  settings: readonly SliderSetting[],
  sliders: readonly Pick<SliderInfo, "minStep" | "maxStep">[],
): number[] {
  const positions = sliders.map(() => 0);
  for (const [index, position] of settings) {
    const info = sliders[index];
    if (info === undefined) {
      const range =
        sliders.length === 0 ? "absent: this model has none" : `0 to ${sliders.length - 1}`;
      throw badArgument("--slider", `${range} (the index)`, index);
    }
    if (position < info.minStep || position > info.maxStep) {
      throw badArgument("--slider", `${info.minStep} to ${info.maxStep} (the position)`, position);
    }
    positions[index] = position;
  }
  return positions;
}
