/** Describes a model, as text for people and as JSON for programs. */
import type { ModelDescription } from "../format/describe.js";
import type { SliderInfo } from "../latent/sliders.js";
import type { Io } from "./io.js";
import {
  bytesText,
  colors,
  countText,
  dateText,
  plural,
  printable,
  secondsText,
  table,
  tableWidth,
} from "./text.js";

const NAME_WIDTH = 13;

/** One line "name  text" per fact. A fact with an empty text is left out. */
export function factLines(io: Io, facts: readonly (readonly [string, string])[]): string {
  const { dim } = colors(io.stderr);
  return facts
    .filter(([, text]) => text !== "")
    .map(([name, text]) => `  ${dim(name.padEnd(NAME_WIDTH))} ${text}\n`)
    .join("");
}

/**
 * @param id the model's id in the library, if it is in one. It differs from the id in the file if
 *   the file is a copy of another file in the library
 */
export function modelText(io: Io, path: string, model: ModelDescription, id?: string): string {
  const { bold, dim } = colors(io.stderr);
  const { metadata: m, spectrogramConfig: s } = model;
  const dtypes = [...new Set(model.tensors.map((t) => t.dtype))].join(", ");
  const parameters = `${countText(model.parameters)} parameters in ${model.tensors.length} tensors`;
  const parts = model.hasEncoder ? "" : ", decoder only";
  const fft = `FFT ${s.nFft}, hop ${s.hopLength}`;
  const frequencies = `${s.nMels} mels, ${s.fMin} to ${s.fMax ?? s.sampleRate / 2} Hz`;
  const facts = factLines(io, [
    ["id", idText(m.modelId, id)],
    ["file", `${printable(path)} (${bytesText(model.bytes)})`],
    ["generation", model.generation],
    ["description", printable(m.description)],
    ["tags", m.tags.map(printable).join(", ")],
    ["saved", dateText(m.saveDate)],
    ["dataset", datasetText(m)],
    ["training", trainingText(m)],
    ["network", `latent size ${model.latentDim}, ${parameters} (${dtypes})${parts}`],
    ["vocoder", vocoderText(model.vocoder)],
    ["spectrogram", `${countText(s.sampleRate)} Hz, ${fft}, ${frequencies}, power ${s.power}`],
  ]);
  return `${bold(printable(m.name))}\n${facts}\n${slidersText(io, model.sliders, dim)}`;
}

function idText(inFile: string, id = inFile): string {
  return id === inFile ? printable(id) : `${printable(id)} (in the file: ${printable(inFile)})`;
}

function datasetText({
  datasetName,
  datasetFileCount,
  datasetTotalDurationS,
}: ModelDescription["metadata"]): string {
  return [
    printable(datasetName),
    datasetFileCount > 0 ? `${countText(datasetFileCount)} files` : "",
    datasetTotalDurationS > 0 ? secondsText(datasetTotalDurationS) : "",
  ]
    .filter(Boolean)
    .join(", ");
}

function trainingText(m: ModelDescription["metadata"]): string {
  if (m.trainingEpochs === 0) return dateText(m.trainingDate);
  const [loss, validation] = [m.finalTrainLoss, m.finalValLoss].map((x) => +x.toPrecision(4));
  const losses = `loss ${loss}, validation ${validation}`;
  const date = m.trainingDate === "" ? "" : `${dateText(m.trainingDate)}, `;
  return `${date}${countText(m.trainingEpochs)} epochs, ${losses}`;
}

function vocoderText(vocoder: ModelDescription["vocoder"]): string {
  if (vocoder === null) return "";
  const { type, epochs, finalLoss, trainingDate } = vocoder;
  const loss = finalLoss === null ? "" : `loss ${+finalLoss.toPrecision(4)}`;
  return [printable(type), plural(epochs, "epoch"), loss, dateText(trainingDate)]
    .filter(Boolean)
    .join(", ");
}

function slidersText(
  io: Io,
  sliders: readonly SliderInfo[],
  dim: (text: string) => string,
): string {
  if (sliders.length === 0) return `${dim("No sliders: the file has no analysis.")}\n`;
  const range = (from: number, to: number) => (from > to ? "none" : `${from} to ${to}`);
  const rows = sliders.map((s) => [
    s.index,
    printable(s.label),
    printable(s.suggestedLabel),
    `${s.varianceExplainedPct.toFixed(1)} %`.padStart(7),
    range(s.minStep, s.maxStep),
    range(s.safeMinStep, s.safeMaxStep),
    range(s.warningMinStep, s.warningMaxStep),
  ]);
  const heading = ["SLIDER", "LABEL", "SUGGESTED", "VARIANCE", "RANGE", "SAFE", "WITH CARE"];
  return table([heading, ...rows], { width: tableWidth(io) });
}

export function modelJson(path: string, model: ModelDescription, id = model.metadata.modelId) {
  const { analysis: _, trainingConfig: __, ...plain } = model;
  return { path, modelId: id, ...plain };
}
