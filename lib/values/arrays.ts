/**
 * Types of typed arrays on an `ArrayBuffer`, never on shared memory, so that `new Blob([…])`, `new
 * Response(…)` and similar functions accept them in strict TypeScript.
 *
 * Since TypeScript 5.7 these are `Float32Array<ArrayBuffer>` and `Uint8Array<ArrayBuffer>`. Older
 * versions have typed arrays without a type argument. `ReturnType` serves both, because it does not
 * spell out the argument.
 */

/** Samples or coefficients: a `Float32Array` on an `ArrayBuffer`. */
export type Floats = ReturnType<typeof Float32Array.of>;
/** A `Uint8Array` on an `ArrayBuffer`. */
export type Bytes = ReturnType<typeof Uint8Array.of>;
/** Codes: an `Int32Array` on an `ArrayBuffer`. */
export type Codes = ReturnType<typeof Int32Array.of>;
