/** The element types. The names are PyTorch's without the prefix "torch.". */
export type DType =
  | "bool"
  | "uint8"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "uint16"
  | "uint32"
  | "uint64"
  | "float16"
  | "bfloat16"
  | "float32"
  | "float64"
  | "complex32"
  | "complex64"
  | "complex128"
  | "float8_e4m3fn"
  | "float8_e5m2"
  | "float8_e4m3fnuz"
  | "float8_e5m2fnuz"
  | "float8_e8m0fnu"
  | "qint8"
  | "quint8"
  | "qint32"
  | "quint4x2"
  | "quint2x4"
  | "bits8"
  | "bits16"
  | "bits1x8"
  | "bits2x4"
  | "bits4x2"
  | "float4_e2m1fn_x2";

/** The arrays that hold the elements of a tensor; see `Tensor`. */
export type TypedArray =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array;
