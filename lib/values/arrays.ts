/**
 * Typed arrays on an `ArrayBuffer`, not on shared memory, so that `new Blob([…])`, `new
 * Response(…)` and the like take them in strict TypeScript.
 *
 * From TypeScript 5.7 on these are `Float32Array<ArrayBuffer>` and `Uint8Array<ArrayBuffer>`. Older
 * versions, whose typed arrays take no type argument, read the declarations as well, because the
 * argument is not written here.
 */

/** Samples or coefficients: a `Float32Array` on an `ArrayBuffer`. */
export type Floats = ReturnType<typeof Float32Array.of>;
/** A `Uint8Array` on an `ArrayBuffer`. */
export type Bytes = ReturnType<typeof Uint8Array.of>;
