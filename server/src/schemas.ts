/** What goes in and out, as TypeBox says it: checked at run time, typed, and published as OpenAPI. */
import { CHANGE_LIMITS } from "small-dataset-audio";
import { type Static, type TProperties, type TSchema, Type } from "typebox";

const object = <T extends TProperties>(properties: T, description?: string) =>
  Type.Object(properties, { additionalProperties: false, ...(description && { description }) });
const optional = Type.Optional;
const text = (description: string) => Type.String({ description });
const number = (description: string) => Type.Number({ description });
const integer = (description: string) => Type.Integer({ description });
/** JSON has no NaN and no infinity. */
const maybeNumber = (description: string) =>
  Type.Union([Type.Number(), Type.Null()], { description });
const oneOf = <T extends (string | number)[]>(values: [...T], description: string) =>
  Type.Union(
    values.map((value) => Type.Literal(value)),
    { description },
  ) as unknown as ReturnType<typeof Type.Unsafe<T[number]>>;

/** Ids are UUIDs, or the names of files. */
export const ModelParams = object({ id: Type.String({ minLength: 1, maxLength: 500 }) });

const ENTRY = {
  modelId: text("UUID, or the file's name"),
  name: text("Given by people"),
  description: text("Given by people"),
  filePath: text("Of the file, relative to the models folder"),
  fileSizeBytes: integer("Of the file"),
  datasetName: text("What it was trained on"),
  datasetFileCount: integer("Sounds that it was trained on"),
  datasetTotalDurationS: maybeNumber("Seconds of sound that it was trained on"),
  trainingDate: text('ISO 8601 in UTC, or ""'),
  saveDate: text('ISO 8601 in UTC, or ""'),
  trainingEpochs: integer("Of the training"),
  finalTrainLoss: maybeNumber("Of the training; null: not a number"),
  finalValLoss: maybeNumber("Of the training; null: not a number"),
  hasAnalysis: Type.Boolean({ description: "Whether it has sliders" }),
  nActiveComponents: integer("Its sliders"),
  tags: Type.Array(Type.String(), { description: "Given by people" }),
};
export const SORT_FIELDS = Object.keys(ENTRY) as (keyof typeof ENTRY)[];

export const ModelEntrySchema = object(ENTRY, "A model, as the library's index has it");

export const ModelSchema = object(
  {
    ...ENTRY,
    sampleRate: integer("Hz, of the sounds that it was trained on"),
    latentDim: integer("Dimensions of the latent space"),
    hasEncoder: Type.Boolean({ description: "Whether sounds can be encoded" }),
    parameters: integer("Weights and biases"),
    tensors: integer("Of the state dict"),
    bytes: integer("Of the file"),
    spectrogramConfig: object({
      sampleRate: integer("Hz"),
      nFft: integer("Samples"),
      hopLength: integer("Samples"),
      nMels: integer("Bands"),
      fMin: maybeNumber("Hz"),
      fMax: maybeNumber("Hz; null: half the sample rate"),
      power: maybeNumber("Of the magnitudes"),
    }),
    trainingConfig: Type.Record(Type.String(), Type.Unknown(), {
      description: "As the file has it",
    }),
    componentLabels: Type.Array(Type.String(), { description: "Names given to the sliders" }),
  },
  "A model, as its file and the library's index have it",
);

export const ListQuery = object({
  query: optional(
    Type.String({ maxLength: 1000, description: "Part of a name or description, in any case" }),
  ),
  tags: optional(
    Type.Array(Type.String({ maxLength: 1000 }), {
      maxItems: 100,
      description: "Any of these, in any case; repeat the parameter for several",
    }),
  ),
  sort: optional(oneOf(SORT_FIELDS, "Default saveDate")),
  order: optional(oneOf(["asc", "desc"], "Default desc")),
  page: optional(Type.Integer({ minimum: 1, description: "Default 1" })),
  pageSize: optional(Type.Integer({ minimum: 1, maximum: 200, description: "Default 50" })),
});

export const ListSchema = object({
  models: Type.Array(ModelEntrySchema),
  total: integer("Models that match, on all pages"),
  page: integer("As asked for"),
  pageSize: integer("As asked for"),
});

export const TagsSchema = object({
  tags: Type.Array(object({ tag: text("As given"), count: integer("Models that have it") }), {
    description: "The most frequent first",
  }),
});

const MetadataTexts = {
  name: optional(Type.String({ minLength: 1, maxLength: CHANGE_LIMITS.name })),
  description: optional(Type.String({ maxLength: CHANGE_LIMITS.description })),
  tags: optional(
    Type.Array(Type.String({ minLength: 1, maxLength: CHANGE_LIMITS.tag }), {
      maxItems: CHANGE_LIMITS.tags,
      description: "All of them",
    }),
  ),
};

export const UploadFields = object(MetadataTexts);

export const ChangesBody = object({
  ...MetadataTexts,
  componentLabels: optional(
    Type.Array(Type.String({ maxLength: CHANGE_LIMITS.componentLabel }), {
      maxItems: 65_536,
      description: "One a slider, in their order",
    }),
  ),
});

export const SlidersSchema = object({
  modelId: text("The model's"),
  half: integer("Positions go from -half to half; 0 without analysis"),
  sliders: Type.Array(
    object({
      index: integer("Of the slider"),
      label: text("Given by people"),
      suggestedLabel: text("What follows this axis most closely"),
      minStep: integer("-half"),
      maxStep: integer("half"),
      safeMinStep: integer("Where the training sounds begin"),
      safeMaxStep: integer("Where the training sounds end"),
      warningMinStep: integer("Where the warning zone begins"),
      warningMaxStep: integer("Where the warning zone ends"),
      varianceExplainedPct: maybeNumber("Percent of the latent space's variance"),
    }),
  ),
});

const BIT_DEPTHS = [16, 24, 32] as const;

export const GenerateQuery = object({
  format: optional(oneOf(["wav", "float32", "json"], "Default: as Accept says, or wav")),
});

export const GenerateBody = object(
  {
    durationS: optional(
      Type.Number({ exclusiveMinimum: 0, maximum: 60, description: "Seconds; default 1" }),
    ),
    seed: optional(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: "The same seed gives the same sound; drawn when omitted",
      }),
    ),
    concatMode: optional(oneOf(["crossfade", "latent_interpolation"], "Default crossfade")),
    sliders: optional(
      Type.Array(Type.Integer(), {
        maxItems: 65_536,
        description: "One position a slider, from -half to half; not together with latent",
      }),
    ),
    latent: optional(
      Type.Array(Type.Number(), {
        maxItems: 65_536,
        description: "A point of the latent space; not together with sliders",
      }),
    ),
    stepsBetween: optional(
      Type.Integer({
        minimum: 1,
        maximum: 1000,
        description: "Points between anchors of latent_interpolation; default 10",
      }),
    ),
    overlapSamples: optional(
      Type.Integer({
        minimum: 0,
        maximum: 24_000,
        description: "Of a crossfade, in samples at 48 kHz; default 2400",
      }),
    ),
    joint: optional(oneOf(["python", "equal-power"], "How chunks are faded; default python")),
    loudness: optional(
      oneOf(
        ["peak", "running", "none"],
        "Default running for sound that is streamed, peak for json; peak is made whole and then sent",
      ),
    ),
    spatial: optional(
      object({
        mode: oneOf(["mono", "stereo", "dual_seed"], "Channels"),
        width: optional(Type.Number({ minimum: 0, maximum: 1.5, description: "Default 0.5" })),
        depth: optional(Type.Number({ minimum: 0, maximum: 1, description: "Default 0.3" })),
      }),
    ),
    sampleRate: optional(oneOf([44_100, 48_000, 96_000], "Hz; default 48000")),
    bitDepth: optional(oneOf([...BIT_DEPTHS], "Of the WAV file; 32 is float. Default 24")),
  },
  "What sound to make",
);
export type GenerateRequest = Static<typeof GenerateBody>;

export const SoundSchema = object({
  soundId: text("The same for the same request of the same file"),
  url: text("Of the sound as a WAV file, as long as it is kept"),
  sampleRate: integer("Hz"),
  channels: integer("1 or 2"),
  frames: integer("Samples a channel"),
  durationS: number("Seconds"),
  seed: integer("That was used"),
  quality: object({
    snrDb: maybeNumber("dB; null: infinite, there is no silence"),
    clipping: object({
      clippedSamples: integer("Samples from 0.999 on"),
      clippedPercentage: number("Percent"),
      peakValue: number("The largest magnitude"),
      maxConsecutiveClipped: integer("The longest run"),
      hasClipping: Type.Boolean(),
    }),
    rating: oneOf(["green", "yellow", "red"], "All in all"),
    ratingReason: text("In words"),
  }),
  peaks: Type.Array(Type.Array(Type.Number()), {
    description: "A channel: smallest and largest sample of each of 1000 spans, by turns",
  }),
  mel: object({
    width: integer("Pixels"),
    height: integer("Pixels: one a mel band"),
    url: text("Of the picture"),
  }),
});

export const SoundQuery = object({
  bitDepth: optional(oneOf([...BIT_DEPTHS], "32 is float. Default 24")),
});
export const SoundParams = object({
  soundId: Type.String({ minLength: 1, maxLength: 100 }),
});

const Latents = {
  mu: Type.Array(maybeNumber("The mean"), { description: "[latentDim]" }),
  logvar: Type.Array(maybeNumber("The variance's logarithm"), { description: "[latentDim]" }),
  positions: Type.Union([Type.Array(Type.Integer()), Type.Null()], {
    description: "The nearest slider positions; null without analysis",
  }),
};
export const EncodingSchema = object({
  sampleRate: integer("Hz, the model's, to which the sound was converted"),
  chunks: Type.Array(object({ startS: number("Seconds"), ...Latents }), {
    description: "One a second of the sound, the last one filled up with silence",
  }),
  ...Latents,
});

export const EventsQuery = object({
  clientId: optional(
    Type.String({
      pattern: "^[A-Za-z0-9_-]{1,64}$",
      description: "To be named in X-Client-Id by requests whose progress is wanted",
    }),
  ),
});

export const HealthSchema = object({
  status: oneOf(["ok", "unavailable"], "Whether the library can be read"),
  models: integer("In the library"),
  engine: oneOf(["ready", "not loaded", "missing"], "Of what makes sound; loaded when first used"),
  version: text("The server's"),
});

export const SessionSchema = object({
  writable: Type.Boolean({
    description: "Whether this client, with what it sent, may change the library",
  }),
  tokenRequired: Type.Boolean({ description: "Whether changing it takes a token" }),
  maxUploadBytes: integer("Of a model file"),
  maxDurationS: number("Of a sound"),
  version: text("The server's"),
});

export const ProblemSchema = object(
  {
    type: text("about:blank"),
    title: text("Of the status"),
    status: integer("The HTTP status"),
    detail: text("What is wrong, for people"),
    code: text("What is wrong, for programs: an SdaErrorCode, or the server's own"),
    option: optional(text("The field at fault")),
  },
  "RFC 9457",
);

/** Every route may answer so. */
export const problems = {
  "4xx": {
    description: "The request can't be granted",
    content: { "application/problem+json": { schema: ProblemSchema as TSchema } },
  },
  "5xx": {
    description: "The server can't do it now",
    content: { "application/problem+json": { schema: ProblemSchema as TSchema } },
  },
};
