/**
 * The part of numpy's `default_rng(seed)` that sliders need: SeedSequence, PCG64 and bounded
 * integers. The results equal numpy's bit for bit.
 *
 * Sources: O'Neill 2014, "PCG: A Family of Simple Fast Space-Efficient Statistically Good
 * Algorithms for Random Number Generation" (XSL RR 128/64); O'Neill's `seed_seq_fe`, on which
 * numpy's SeedSequence is based; Lemire 2019, "Fast Random Integer Generation in an Interval".
 */
const MASK32 = 0xffff_ffffn;
const MASK64 = (1n << 64n) - 1n;
const MASK128 = (1n << 128n) - 1n;
const MULTIPLIER = 0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645n;

const POOL_SIZE = 4;
const INIT_A = 0x43b0_d7e5;
const MULT_A = 0x931e_8875;
const INIT_B = 0x8b51_f9dd;
const MULT_B = 0x58f3_8ded;
const MIX_LEFT = 0xca01_f9dd;
const MIX_RIGHT = 0x4973_f715;

/** SeedSequence's `hashmix`, with its changing constant. */
function hasher(init: number, mult: number): (value: number) => number {
  let constant = init;
  return (value) => {
    const mixed = value ^ constant;
    constant = Math.imul(constant, mult);
    const product = Math.imul(mixed, constant);
    return (product ^ (product >>> 16)) >>> 0;
  };
}

/** SeedSequence's `mix`. */
function mix(x: number, y: number): number {
  const difference = (Math.imul(x, MIX_LEFT) - Math.imul(y, MIX_RIGHT)) | 0;
  return (difference ^ (difference >>> 16)) >>> 0;
}

/** `SeedSequence(seed).generate_state(8, uint32)` for a seed of at most 53 bits. */
function seedWords(seed: number): number[] {
  const high = Math.floor(seed / 2 ** 32);
  const entropy = [seed >>> 0, high];
  const hash = hasher(INIT_A, MULT_A);
  const pool = Array.from({ length: POOL_SIZE }, (_, i) => hash(entropy[i] ?? 0));
  for (let source = 0; source < POOL_SIZE; source++) {
    for (let target = 0; target < POOL_SIZE; target++) {
      if (source === target) continue;
      pool[target] = mix(pool[target] as number, hash(pool[source] as number));
    }
  }
  const output = hasher(INIT_B, MULT_B);
  return Array.from({ length: 8 }, (_, i) => output(pool[i % POOL_SIZE] as number));
}

/** The generator of `numpy.random.default_rng`. */
export class Pcg64 {
  #state: bigint;
  readonly #increment: bigint;
  #spare: bigint | null = null;

  /** @param seed a whole number, 0 to 2^53 - 1 */
  constructor(seed: number) {
    const words = seedWords(seed).map(BigInt);
    const word64 = (i: number) => ((words[2 * i + 1] as bigint) << 32n) | (words[2 * i] as bigint);
    const state = (word64(0) << 64n) | word64(1);
    const stream = (word64(2) << 64n) | word64(3);
    this.#increment = ((stream << 1n) | 1n) & MASK128;
    this.#state = 0n;
    this.#step();
    this.#state = (this.#state + state) & MASK128;
    this.#step();
  }

  #step(): void {
    this.#state = (this.#state * MULTIPLIER + this.#increment) & MASK128;
  }

  #next64(): bigint {
    this.#step();
    const value = ((this.#state >> 64n) ^ this.#state) & MASK64;
    const rotation = this.#state >> 122n;
    return ((value >> rotation) | (value << (64n - rotation))) & MASK64;
  }

  /** Returns the low half of a 64-bit draw, and the next time its high half, like numpy. */
  #next32(): bigint {
    if (this.#spare !== null) {
      const spare = this.#spare;
      this.#spare = null;
      return spare;
    }
    const next = this.#next64();
    this.#spare = next >> 32n;
    return next & MASK32;
  }

  /**
   * Draws a uniform integer from `low` to `high`, both included, like numpy's
   * `rng.integers(low, high, endpoint=True)`. `high - low` must be below 2^32 - 1. If `low` equals
   * `high`, the generator does not advance.
   */
  integer(low: number, high: number): number {
    const range = BigInt(high - low);
    if (range === 0n) return low;
    const count = range + 1n;
    const threshold = (MASK32 - range) % count;
    let product = this.#next32() * count;
    while ((product & MASK32) < threshold) product = this.#next32() * count;
    return low + Number(product >> 32n);
  }
}
