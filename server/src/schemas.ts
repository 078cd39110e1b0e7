/**
 * TypeBox schemas of requests and responses: they check requests, type the routes and become the
 * OpenAPI document.
 */
import {
  CHANGE_LIMITS,
  GENERATION_DEFAULTS,
  GENERATION_LIMITS,
  type GenerationName,
} from "small-dataset-audio";
import { type Static, type TProperties, type TSchema, Type } from "typebox";

const object = <T extends TProperties>(properties: T, description?: string) =>
  Type.Object(properties, { additionalProperties: false, ...(description && { description }) });
const optional = Type.Optional;
const text = (description: string) => Type.String({ description });
const number = (description: string) => Type.Number({ description });
const integer = (description: string) => Type.Integer({ description });
/** A number that may be NaN or infinite, which JSON writes as null. */
const maybeNumber = (description: string) =>
  Type.Union([Type.Number(), Type.Null()], { description });
const oneOf = <const T extends readonly (string | number)[]>(values: T, description: string) =>
  Type.Union(
    values.map((value) => Type.Literal(value)),
    { description },
  ) as unknown as ReturnType<typeof Type.Unsafe<T[number]>>;

/** An id is a UUID or the name of a file. */
export const ModelParams = object({ id: Type.String({ minLength: 1, maxLength: 500 }) });

const ENTRY = {
  modelId: text("UUID, or the file's name"),
  name: text("The model's name"),
  description: text("The model's description"),
  filePath: text("Path of the file, relative to the models folder"),
  fileSizeBytes: integer("Size of the file"),
  datasetName: text("Name of the training data set"),
  datasetFileCount: integer("Number of sound files in the training data set"),
  datasetTotalDurationS: maybeNumber("Length of the training data set in seconds"),
  trainingDate: text('ISO 8601 in UTC, or ""'),
  saveDate: text('ISO 8601 in UTC, or ""'),
  trainingEpochs: integer("Number of training epochs"),
  finalTrainLoss: maybeNumber("Training loss after the last epoch; null: not a number"),
  finalValLoss: maybeNumber("Validation loss after the last epoch; null: not a number"),
  hasAnalysis: Type.Boolean({ description: "Whether the model has an analysis, and so sliders" }),
  nActiveComponents: integer("Number of sliders"),
  tags: Type.Array(Type.String(), { description: "The model's tags" }),
  vocoder: Type.Union(
    [
      object({
        type: text("hifigan_v2"),
        epochs: integer("Number of training epochs"),
        finalLoss: maybeNumber("Loss after the last epoch; null: unknown or not a number"),
        trainingDate: text('ISO 8601 in UTC, or ""'),
      }),
      Type.Null(),
    ],
    { description: "The neural vocoder in the model's file; null: none" },
  ),
};
export const SORT_FIELDS = Object.keys(ENTRY) as (keyof typeof ENTRY)[];

const GENERATIONS = Object.keys(GENERATION_DEFAULTS) as GenerationName[];
const generation = (description: string) => oneOf(GENERATIONS, description);

export const ModelEntrySchema = object(
  {
    ...ENTRY,
    generation: Type.Union(
      [generation("Which version of the program wrote the file"), Type.Null()],
      { description: "null: the file is missing or can't be read" },
    ),
  },
  "A model's entry in the library's index, and the generation of its file",
);

export const ModelSchema = object(
  {
    ...ENTRY,
    generation: generation("Which version of the program wrote the file"),
    sampleRate: integer("Sample rate of the training sounds, in Hz"),
    latentDim: integer("Dimensions of the latent space"),
    hasEncoder: Type.Boolean({ description: "Whether the model can encode sounds" }),
    parameters: integer("Number of weights and biases"),
    tensors: integer("Number of tensors in the state dict"),
    bytes: integer("Size of the file"),
    spectrogramConfig: object({
      sampleRate: integer("Hz"),
      nFft: integer("FFT size in samples"),
      hopLength: integer("Hop length in samples"),
      nMels: integer("Number of mel bands"),
      fMin: maybeNumber("Lowest frequency in Hz"),
      fMax: maybeNumber("Highest frequency in Hz; null: half the sample rate"),
      power: maybeNumber("Exponent of the magnitudes"),
    }),
    trainingConfig: Type.Record(Type.String(), Type.Unknown(), {
      description: "The training configuration in the file, shortened where it is very large",
    }),
    componentLabels: Type.Array(Type.String(), { description: "Labels of the sliders" }),
  },
  "A model: its index entry and facts from its file",
);

export const ListQuery = object({
  query: optional(
    Type.String({
      maxLength: 1000,
      description: "Part of a name or description; upper and lower case are equal",
    }),
  ),
  tags: optional(
    Type.Array(Type.String({ maxLength: 1000 }), {
      maxItems: 100,
      description:
        "Models with any of these tags; upper and lower case are equal. Repeat the parameter",
    }),
  ),
  sort: optional(oneOf(SORT_FIELDS, "Field to sort by; default saveDate")),
  order: optional(oneOf(["asc", "desc"], "Sort order; default desc")),
  page: optional(Type.Integer({ minimum: 1, description: "Page, from 1; default 1" })),
  pageSize: optional(
    Type.Integer({ minimum: 1, maximum: 200, description: "Models per page; default 50" }),
  ),
});

export const ListSchema = object({
  models: Type.Array(ModelEntrySchema),
  total: integer("Number of matching models on all pages"),
  page: integer("The requested page"),
  pageSize: integer("Models per page"),
});

export const TagsSchema = object({
  tags: Type.Array(object({ tag: text("The tag"), count: integer("Number of models with it") }), {
    description: "Sorted by count, highest first",
  }),
});

const MetadataTexts = {
  name: optional(Type.String({ minLength: 1, maxLength: CHANGE_LIMITS.name })),
  description: optional(Type.String({ maxLength: CHANGE_LIMITS.description })),
  tags: optional(
    Type.Array(Type.String({ minLength: 1, maxLength: CHANGE_LIMITS.tag }), {
      maxItems: CHANGE_LIMITS.tags,
      description: "The new list of tags; it replaces the old one",
    }),
  ),
};

export const UploadFields = object(MetadataTexts);

export const ChangesBody = object({
  ...MetadataTexts,
  componentLabels: optional(
    Type.Array(Type.String({ maxLength: CHANGE_LIMITS.componentLabel }), {
      maxItems: 65_536,
      description: "One label for each slider, in order",
    }),
  ),
});

export const SlidersSchema = object({
  modelId: text("The model's id"),
  half: integer("Positions go from -half to half; 0 without analysis"),
  sliders: Type.Array(
    object({
      index: integer("Index of the slider, from 0"),
      label: text("The label that a person gave the slider"),
      suggestedLabel: text("The sound feature that correlates most with the slider"),
      minStep: integer("-half"),
      maxStep: integer("half"),
      safeMinStep: integer("Lowest position within the range of the training sounds"),
      safeMaxStep: integer("Highest position within the range of the training sounds"),
      warningMinStep: integer(
        "Lowest position of the lower warning zone, which ends below safeMinStep",
      ),
      warningMaxStep: integer(
        "Highest position of the upper warning zone, which begins above safeMaxStep",
      ),
      varianceExplainedPct: maybeNumber("Share of the latent space's variance, in percent"),
    }),
  ),
});

const BIT_DEPTHS = [16, 24, 32] as const;
const { durationS, seed, stepsBetween, overlapSamples, width, depth } = GENERATION_LIMITS;
const { evolution, temperature, topK, topP } = GENERATION_LIMITS;

export const GenerateQuery = object({
  format: optional(
    oneOf(["wav", "float32", "json"], "Default: the best match of Accept, else wav"),
  ),
});

export const GenerateBody = object(
  {
    durationS: optional(
      Type.Number({
        exclusiveMinimum: durationS.above,
        maximum: durationS.max,
        description:
          "Length in seconds; default 1. With crossfade, overlaps make the sound shorter: " +
          "9.47 s for 10 and 56.57 s for 60",
      }),
    ),
    seed: optional(
      Type.Integer({
        minimum: seed.min,
        maximum: seed.max,
        description: "The same seed gives the same sound; default: a random seed",
      }),
    ),
    concatMode: optional(
      oneOf(GENERATION_LIMITS.concatModes, "How chunks are joined; default crossfade"),
    ),
    sliders: optional(
      Type.Array(Type.Integer(), {
        maxItems: 65_536,
        description: "One position for each slider, from -half to half; excludes latent",
      }),
    ),
    latent: optional(
      Type.Array(Type.Number(), {
        maxItems: 65_536,
        description: "A point in the latent space; excludes sliders",
      }),
    ),
    stepsBetween: optional(
      Type.Integer({
        minimum: stepsBetween.min,
        maximum: stepsBetween.max,
        description: "Points between two anchors of latent_interpolation; default 10",
      }),
    ),
    overlapSamples: optional(
      Type.Integer({
        minimum: overlapSamples.min,
        maximum: overlapSamples.max,
        description: "Length of a crossfade, in samples at 48 kHz; default 2400",
      }),
    ),
    joint: optional(oneOf(GENERATION_LIMITS.joints, "Curve of a crossfade; default python")),
    loudness: optional(
      oneOf(
        GENERATION_LIMITS.loudnesses,
        "Default: running for wav and float32, peak for json. With peak, the whole sound is " +
          "generated before the first byte is sent",
      ),
    ),
    spatial: optional(
      object({
        mode: oneOf(GENERATION_LIMITS.spatialModes, "How channels are made; mono has one"),
        width: optional(
          Type.Number({
            minimum: width.min,
            maximum: width.max,
            description:
              "Strength of the side signal of stereo; default 0.5, for models since the second " +
              "Distill 0.7",
          }),
        ),
        depth: optional(
          Type.Number({
            minimum: depth.min,
            maximum: depth.max,
            description:
              "Strength of the reflection of stereo; default 0.3, since the second Distill 0.5",
          }),
        ),
      }),
    ),
    sampleRate: optional(
      oneOf(
        GENERATION_LIMITS.sampleRates,
        "Sample rate of the sound in Hz; default 48000, for .distillgan models 44100",
      ),
    ),
    evolution: optional(
      Type.Number({
        minimum: evolution.min,
        maximum: evolution.max,
        description:
          "How far the sound moves away from sliders or latent; default 0.5. Only models since " +
          "the second Distill",
      }),
    ),
    vocoder: optional(
      oneOf(
        ["auto", "model", "griffin_lim"],
        "What makes sound of mel spectrograms; default auto: the model's vocoder, if it has one",
      ),
    ),
    temperature: optional(
      Type.Number({
        minimum: temperature.min,
        maximum: temperature.max,
        description:
          "Divides the logits that codes are drawn from; default 1. Only models of codes",
      }),
    ),
    topK: optional(
      Type.Integer({
        minimum: topK.min,
        maximum: topK.max,
        description:
          "Draw from that many likeliest codes; 0: all, the default. Only models of codes",
      }),
    ),
    topP: optional(
      Type.Number({
        minimum: topP.min,
        maximum: topP.max,
        description:
          "Draw from the likeliest codes with chances up to this; default 0.9. Only models of " +
          "codes",
      }),
    ),
    bitDepth: optional(oneOf(BIT_DEPTHS, "Bit depth of the WAV file; 32 is float. Default 24")),
  },
  "Options of the sound to generate",
);
export type GenerateRequest = Static<typeof GenerateBody>;

export const SoundSchema = object({
  soundId: text("Equal for equal requests of the same model file"),
  url: text("Address of the sound as a WAV file, while the sound is in memory"),
  sampleRate: integer("Hz"),
  channels: integer("1 or 2"),
  frames: integer("Samples per channel"),
  durationS: number("Length in seconds"),
  seed: integer("The seed of the sound"),
  quality: object({
    snrDb: maybeNumber("Signal-to-noise ratio in dB; null: infinite, the sound has no silence"),
    clipping: object({
      clippedSamples: integer("Number of samples with a magnitude of 0.999 or more"),
      clippedPercentage: number("Share of these samples, in percent"),
      peakValue: number("The largest magnitude"),
      maxConsecutiveClipped: integer("Length of the longest run of clipped samples"),
      hasClipping: Type.Boolean(),
    }),
    rating: oneOf(["green", "yellow", "red"], "Overall rating"),
    ratingReason: text("Reason of the rating, in words"),
  }),
  peaks: Type.Array(Type.Array(Type.Number()), {
    description:
      "For each channel: minimum and maximum of each of 1000 spans, as [min, max, min, max, …]",
  }),
  mel: object({
    width: integer("Width of the picture in pixels"),
    height: integer("Height of the picture in pixels: one for each mel band"),
    url: text("Address of the picture"),
  }),
});

export const SoundQuery = object({
  bitDepth: optional(oneOf(BIT_DEPTHS, "32 is float. Default 24")),
});
export const SoundParams = object({
  soundId: Type.String({ minLength: 1, maxLength: 100 }),
});

const Latents = {
  mu: Type.Array(maybeNumber("Mean"), { description: "Means, [latentDim]" }),
  logvar: Type.Array(maybeNumber("Log variance"), { description: "Log variances, [latentDim]" }),
  positions: Type.Union([Type.Array(Type.Integer()), Type.Null()], {
    description: "The nearest slider positions; null without analysis",
  }),
};
export const EncodingSchema = object({
  sampleRate: integer("The model's sample rate in Hz; the sound is resampled to it"),
  chunks: Type.Array(object({ startS: number("Start of the chunk in seconds"), ...Latents }), {
    description: "One chunk for each second of the sound; silence fills the last one",
  }),
  ...Latents,
});

export const EventsQuery = object({
  clientId: optional(
    Type.String({
      pattern: "^[A-Za-z0-9_-]{1,64}$",
      description: "A request with this id in X-Client-Id sends its progress to this stream",
    }),
  ),
});

export const HealthSchema = object({
  status: oneOf(["ok", "unavailable"], "Whether the library can be read"),
  models: integer("Number of models in the library"),
  engine: oneOf(
    ["ready", "not loaded", "missing"],
    "State of the sound engine, which is loaded on first use",
  ),
  version: text("The server's version"),
});

export const SessionSchema = object({
  writable: Type.Boolean({
    description: "Whether a request like this one may change the library",
  }),
  tokenRequired: Type.Boolean({ description: "Whether a change of the library requires a token" }),
  maxUploadBytes: integer("Largest model file in bytes"),
  maxDurationS: number("Longest sound in seconds"),
  version: text("The server's version"),
});

export const ProblemSchema = object(
  {
    type: text("about:blank"),
    title: text("Name of the HTTP status"),
    status: integer("The HTTP status"),
    detail: text("What is wrong, in words"),
    code: text("What is wrong, as a code: an SdaErrorCode or a code of the server"),
    option: optional(text("The field that is wrong")),
  },
  "RFC 9457",
);

/** Error responses of every route. */
export const problems = {
  "4xx": {
    description: "The server refuses the request",
    content: { "application/problem+json": { schema: ProblemSchema as TSchema } },
  },
  "5xx": {
    description: "The server cannot process the request now",
    content: { "application/problem+json": { schema: ProblemSchema as TSchema } },
  },
};
