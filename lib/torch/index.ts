/**
 * `small-dataset-audio/torch`: any `torch.save` file, read and written without Python, without
 * LibTorch and without executing anything that a file says.
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
