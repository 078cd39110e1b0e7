/** Writes numbers of any number of bits, the highest bit first, as FLAC needs them. */
export class BitWriter {
  #bytes = new Uint8Array(32 * 1024);
  #length = 0;
  /** The bits of the byte that is not complete yet. */
  #open = 0;
  #openBits = 0;

  /** @param bits 0 to 32; higher bits of `value` are ignored, so a negative number is as wanted */
  write(value: number, bits: number): void {
    for (let left = bits; left > 0; ) {
      const taken = Math.min(8 - this.#openBits, left);
      left -= taken;
      this.#open = (this.#open << taken) | ((value >>> left) & ((1 << taken) - 1));
      this.#openBits += taken;
      if (this.#openBits === 8) this.#push();
    }
  }

  /** Writes `count` zeros and a one. */
  writeUnary(count: number): void {
    for (let left = count; left > 0; left -= 32) this.write(0, Math.min(left, 32));
    this.write(1, 1);
  }

  /** Fills the last byte with zeros. */
  align(): void {
    if (this.#openBits > 0) this.write(0, 8 - this.#openBits);
  }

  /** The complete bytes so far; valid until the next call. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  #push(): void {
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#bytes.length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.#length++] = this.#open;
    this.#open = 0;
    this.#openBits = 0;
  }
}
