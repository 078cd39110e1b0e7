/**
 * `small-dataset-audio/torch` reads and writes any `torch.save` file without Python. It
 * never executes code that a file names.
 *
 * @module small-dataset-audio/torch
 */
export { SdaError, type SdaErrorCode } from "../base/errors.js";
export {
  Complex,
  type DType,
  NdArray,
  OrderedDict,
  PyGlobal,
  PyObject,
  Tensor,
  Tuple,
  type TypedArray,
} from "../values/values.js";
export { type Assessment, assess } from "./assess.js";
export { type GlobalKind, type InspectResult, inspect } from "./inspect.js";
export { type LoadOptions, load } from "./load.js";
export { type SaveOptions, save } from "./save.js";
