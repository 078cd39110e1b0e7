/** Decodes FLAC as RFC 9639 describes it, independently of the encoder, and checks every CRC. */
import { createHash } from "node:crypto";

class Bits {
  readonly #bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  read(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++, this.at++) {
      const byte = this.#bytes[this.at >> 3];
      if (byte === undefined) throw new Error("the file ends early");
      value = value * 2 + ((byte >> (7 - (this.at & 7))) & 1);
    }
    return value;
  }

  signed(count: number): number {
    const value = this.read(count);
    return value >= 2 ** (count - 1) ? value - 2 ** count : value;
  }

  unary(): number {
    let zeros = 0;
    while (this.read(1) === 0) zeros++;
    return zeros;
  }

  get byte(): number {
    return this.at / 8;
  }
}

/** The remainder of the division by the polynomial, bit by bit. */
function remainder(bytes: Buffer, bits: number, polynomial: number): number {
  let value = 0;
  for (const byte of bytes) {
    for (let i = 7; i >= 0; i--) {
      const top = (value >> (bits - 1)) & 1;
      value = (value << 1) & (2 ** bits - 1);
      if (top !== ((byte >> i) & 1)) value ^= polynomial;
    }
  }
  return value;
}

function residual(bits: Bits, samples: number[], order: number, n: number): number[] {
  const parameterBits = bits.read(2) === 0 ? 4 : 5;
  const partitions = 2 ** bits.read(4);
  const values: number[] = [];
  for (let p = 0; p < partitions; p++) {
    const parameter = bits.read(parameterBits);
    if (parameter === 2 ** parameterBits - 1) throw new Error("an escape code");
    for (let i = p === 0 ? order : 0; i < n / partitions; i++) {
      const folded = bits.unary() * 2 ** parameter + bits.read(parameter);
      values.push(folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2);
    }
  }
  if (samples.length + values.length !== n) throw new Error("a wrong number of residuals");
  return values;
}

const FIXED = [[], [1], [2, -1], [3, -3, 1], [4, -6, 4, -1]];

function subframe(bits: Bits, n: number, bps: number): number[] {
  if (bits.read(1) !== 0) throw new Error("no padding bit");
  const type = bits.read(6);
  if (bits.read(1) !== 0) throw new Error("wasted bits");
  if (type === 0) return Array<number>(n).fill(bits.signed(bps));
  if (type === 1) return Array.from({ length: n }, () => bits.signed(bps));
  const order = type >= 32 ? type - 31 : type - 8;
  const samples = Array.from({ length: order }, () => bits.signed(bps));
  let coefficients = FIXED[order] as number[];
  let shift = 0;
  if (type >= 32) {
    const precision = bits.read(4) + 1;
    shift = bits.signed(5);
    coefficients = Array.from({ length: order }, () => bits.signed(precision));
  }
  for (const missed of residual(bits, samples, order, n)) {
    const sum = coefficients.reduce((s, c, j) => s + c * (samples.at(-1 - j) as number), 0);
    samples.push(Math.floor(sum / 2 ** shift) + missed);
  }
  return samples;
}

/** @returns samples by channel, and whether the MD5 of STREAMINFO is theirs; null: it has none */
export function decodeFlac(file: Buffer) {
  if (file.toString("latin1", 0, 4) !== "fLaC") throw new Error("no FLAC");
  const info = new Bits(file.subarray(18));
  const sampleRate = info.read(20);
  const channels = info.read(3) + 1;
  const bps = info.read(5) + 1;
  const total = info.read(36);
  let at = 4;
  for (let isLast = false; !isLast; ) {
    isLast = ((file[at] as number) & 0x80) !== 0;
    at += 4 + file.readUIntBE(at + 1, 3);
  }
  const audio: number[][] = Array.from({ length: channels }, () => []);
  for (let number = 0; at < file.length; number++) {
    const frame = file.subarray(at);
    const bits = new Bits(frame);
    if (bits.read(16) !== 0xfff8) throw new Error(`no sync code at ${at}`);
    const [size, , assignment, depth] = [bits.read(4), bits.read(4), bits.read(4), bits.read(3)];
    if (depth !== (bps === 16 ? 4 : 6) || bits.read(1) !== 0) throw new Error("a wrong header");
    const first = bits.read(8);
    const more = first < 0x80 ? 0 : Math.clz32(~(first << 24)) - 1;
    let coded = more === 0 ? first : first & (0x3f >> more);
    for (let i = 0; i < more; i++) coded = coded * 64 + (bits.read(8) & 0x3f);
    if (coded !== number) throw new Error(`frame ${number} has the number ${coded}`);
    const n = size === 12 ? 4096 : bits.read(16) + 1;
    const head = frame.subarray(0, bits.byte);
    if (remainder(head, 8, 0x07) !== bits.read(8)) throw new Error("a wrong CRC-8");
    const pair = assignment >= 8;
    const sides = [8, 10].includes(assignment) ? [0, 1] : [1, 0];
    const found = Array.from({ length: channels }, (_, c) =>
      subframe(bits, n, pair && sides[c] === 1 ? bps + 1 : bps),
    );
    bits.at = 8 * Math.ceil(bits.at / 8);
    const content = frame.subarray(0, bits.byte);
    if (remainder(content, 16, 0x8005) !== bits.read(16)) throw new Error("a wrong CRC-16");
    for (let i = 0; i < n; i++) {
      const [a = 0, b = 0] = found.map((channel) => channel[i] as number);
      const mid = 2 * a + (Math.abs(b) % 2);
      const values =
        {
          8: [a, a - b],
          9: [a + b, b],
          10: [(mid + b) / 2, (mid - b) / 2],
        }[assignment] ?? found.map((channel) => channel[i] as number);
      for (const [c, value] of values.entries()) audio[c]?.push(value);
    }
    at += bits.byte;
  }
  const md5 = file.subarray(26, 42);
  const hasMd5 = md5.some((byte) => byte !== 0);
  return { sampleRate, bps, total, audio, md5Fits: hasMd5 ? md5.equals(md5Of(audio, bps)) : null };
}

function md5Of(audio: number[][], bps: number): Buffer {
  const [first = []] = audio;
  const pcm = Buffer.alloc((first.length * audio.length * bps) / 8);
  let at = 0;
  for (let i = 0; i < first.length; i++) {
    for (const channel of audio) at = pcm.writeIntLE(channel[i] as number, at, bps / 8);
  }
  return createHash("md5").update(pcm).digest();
}
