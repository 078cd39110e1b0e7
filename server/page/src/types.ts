/** Types of the server's requests, responses and events, derived from the server's schemas. */
import type { SliderInfo } from "small-dataset-audio";
import type { Static } from "typebox";
import type {
  ChangesBody,
  EncodingSchema,
  GenerateRequest,
  ListSchema,
  ModelEntrySchema,
  ModelSchema,
  ProblemSchema,
  SessionSchema,
  SlidersSchema,
  SoundSchema,
  TagsSchema,
} from "../../src/schemas.js";

export type { GenerateRequest, SliderInfo };
export type ModelEntry = Static<typeof ModelEntrySchema>;
export type ModelList = Static<typeof ListSchema>;
export type ModelDetail = Static<typeof ModelSchema>;
export type ModelChange = Static<typeof ChangesBody>;
export type TagCount = Static<typeof TagsSchema>["tags"][number];
export type SlidersAnswer = Static<typeof SlidersSchema>;
export type Sliders = Omit<SlidersAnswer, "sliders"> & { sliders: SliderInfo[] };
export type SoundResult = Static<typeof SoundSchema>;
export type Quality = SoundResult["quality"];
export type Encoding = Static<typeof EncodingSchema>;
export type Session = Static<typeof SessionSchema>;
export type ProblemBody = Static<typeof ProblemSchema>;
export type BitDepth = NonNullable<GenerateRequest["bitDepth"]>;

export interface LibraryChange {
  added: string[];
  removed: string[];
  changed: string[];
  /** Whether the lists name every change; false after a change of very many models */
  complete: boolean;
  total: number;
}

export interface Progress {
  requestId: string;
  done: number;
  total: number;
}
