/** Makes the encoder of a format. */
import { encodeSamples, type WavShape, wavHeader, wavSize } from "../wav-format.js";
import { FlacFrames, flacHead } from "./flac.js";
import { writeInfo } from "./riff-info.js";
import type { EncoderSettings } from "./settings.js";
import type { FileShape, SoundEncoder, TaggingOf } from "./sound-encoder.js";
import { riffFields, vorbisFields } from "./tags.js";
import { writeVorbisComment } from "./vorbis-comment.js";

/** The encoder's name in a FLAC. */
const VENDOR = "small-dataset-audio";

/**
 * The encoders of MP3 and Vorbis are loaded only where they are needed: 0.8 MB of code.
 *
 * @param option the argument that holds the samples, for errors
 */
export async function makeEncoder(
  settings: EncoderSettings,
  shape: FileShape,
  tagging: TaggingOf,
  option: string,
): Promise<SoundEncoder> {
  switch (settings.format) {
    case "wav":
      return wavEncoder({ ...shape, bits: settings.bitDepth }, tagging, option);
    case "flac":
      return flacEncoder({ ...shape, bits: settings.bitDepth }, tagging, option);
    default: {
      const { lossyEncoder } = await import("./lossy.js");
      return lossyEncoder(settings, shape, tagging, option);
    }
  }
}

/** The list of tags comes after the samples, where their digest is known. */
function wavEncoder(shape: WavShape, tagging: TaggingOf, option: string): SoundEncoder {
  const none = new Uint8Array(0);
  const list = (samples: string | null) => {
    // A file that states no size ends with its samples.
    const fields = shape.frames === undefined ? [] : riffFields(tagging(samples));
    return fields.length === 0 ? none : writeInfo(fields);
  };
  // Every digest has the same length.
  const size = wavSize(shape, option, list("0".repeat(64)).length);
  return {
    begin: () => wavHeader(shape, size),
    encode: (samples, first) => encodeSamples(samples, shape, option, first),
    end(digests) {
      const tags = list(digests?.samples ?? null);
      const end = new Uint8Array((shape.frames === undefined ? 0 : size.pad) + tags.length);
      end.set(tags, end.length - tags.length);
      return end;
    },
  };
}

function flacEncoder(
  shape: FileShape & { bits: 16 | 24 },
  tagging: TaggingOf,
  option: string,
): SoundEncoder {
  const frames = new FlacFrames(shape);
  return {
    begin(digests) {
      const fields = vorbisFields(tagging(digests?.samples ?? null));
      return flacHead(shape, writeVorbisComment(VENDOR, fields), digests?.md5);
    },
    encode: (samples, first) => frames.encode(encodeSamples(samples, shape, option, first)),
    end: () => frames.end(),
  };
}
