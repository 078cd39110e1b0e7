/** One interface for the encoders of all formats. */
import type { Bytes } from "../../values/arrays.js";
import type { Tagging } from "./tags.js";

/** The sound of one file. */
export interface FileShape {
  sampleRate: number;
  channels: number;
  /** Samples per channel; undefined when unknown */
  frames: number | undefined;
}

/** The digests of a sound. */
export interface Digests {
  /** SHA-256 in hex of the interleaved samples */
  samples: string;
  /** MD5 of the PCM samples of a FLAC */
  md5?: Uint8Array;
}

/** Makes one file, from its beginning to its end. */
export interface SoundEncoder {
  /** @param digests null: they are not known yet */
  begin(digests: Digests | null): Bytes;
  /**
   * @param samples whole frames of interleaved samples
   * @param first how many samples, of all channels, precede these
   * @throws SdaError ERR_SDA_ARGUMENT naming `option` when a sample is not finite
   */
  encode(samples: Float32Array, first: number): Bytes;
  end(digests: Digests | null): Bytes;
}

/** The tags of a file, of which only the recipe depends on the samples. */
export type TaggingOf = (samples: string | null) => Tagging;
