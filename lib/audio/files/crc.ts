/** Cyclic redundancy checks whose highest bit comes first, and that start at 0. */
export type Crc = (bytes: Uint8Array) => number;

function crc(bits: 8 | 16 | 32, polynomial: number): Crc {
  const top = 2 ** (bits - 1);
  const mask = 2 ** bits - 1;
  const shift = bits - 8;
  const table = Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte * 2 ** shift;
    for (let i = 0; i < 8; i++) {
      value = (((value << 1) ^ (value >= top ? polynomial : 0)) & mask) >>> 0;
    }
    return value;
  });
  return (bytes) => {
    let value = 0;
    for (let i = 0; i < bytes.length; i++) {
      const at = ((value >>> shift) ^ (bytes[i] as number)) & 0xff;
      value = (((value << 8) & mask) ^ (table[at] as number)) >>> 0;
    }
    return value;
  };
}

/** Of the headers of FLAC's frames. */
export const crc8 = crc(8, 0x07);
/** Of FLAC's frames. */
export const crc16 = crc(16, 0x8005);
/** Of Ogg's pages. */
export const crc32 = crc(32, 0x04c11db7);
