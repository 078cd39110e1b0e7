import { show } from "../base/brief.js";
import { badArgument } from "../base/check.js";
import { isFloat32Array } from "../base/realm.js";
import type { FloatTensor } from "../native/types.js";
import type { Tensor } from "../values/values.js";

/** The length of a dimension, or a rule for it. `text` describes the rule in error messages. */
export type Dimension = number | { text: string; accepts(length: number): boolean };

/** Any batch size, 1 or more. */
export const BATCH: Dimension = { text: "B", accepts: (length) => length > 0 };

/**
 * Checks that a caller's tensor is float32, contiguous and of the given shape.
 *
 * @throws SdaError ERR_SDA_ARGUMENT with `details.option`
 */
export function checkTensor(
  option: string,
  tensor: Pick<Tensor, "dtype" | "shape" | "data">,
  dimensions: Dimension[],
): FloatTensor {
  const wanted = `[${dimensions.map((d) => (typeof d === "number" ? d : d.text)).join(", ")}]`;
  const expected = `a float32 Tensor of shape ${wanted}`;
  const { dtype, shape, data } = (tensor ?? {}) as Partial<Tensor>;
  if (!Array.isArray(shape) || data === undefined) throw badArgument(option, expected, tensor);
  if (dtype !== "float32" || !isFloat32Array(data)) {
    throw badArgument(option, `${expected} with its data in a Float32Array`, `a ${dtype} Tensor`);
  }
  const fits =
    shape.length === dimensions.length &&
    dimensions.every((d, i) => {
      const length: unknown = shape[i];
      if (typeof d === "number") return length === d;
      return Number.isSafeInteger(length) && d.accepts(length as number);
    });
  if (!fits) throw badArgument(option, expected, `shape [${shape.map(show).join(", ")}]`);
  const size = shape.reduce((product, length) => product * length, 1);
  if (data.length !== size) {
    throw badArgument(option, `${expected} with ${size} values`, `${data.length} values`);
  }
  return { shape: [...shape], data };
}
