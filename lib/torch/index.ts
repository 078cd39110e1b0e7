/**
 * `small-dataset-audio/torch` reads and writes any `torch.save` file without Python. It
 * never executes code that a file names.
 *
 * @module small-dataset-audio/torch
 */
export { SdaError, type SdaErrorCode } from "../base/errors.js";
export {
  JaggedTensor,
  MetaTensor,
  NestedTensor,
  NumpyArray,
  NumpyScalar,
  QuantizedTensor,
  ScriptModule,
  SparseTensor,
} from "../values/described.js";
export {
  Complex,
  Counter,
  DefaultDict,
  Deque,
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
export { type ConvertOptions, type ConvertResult, convertCheckpoint } from "./convert.js";
export type { NotKept } from "./encode.js";
export { type GlobalKind, type InspectOptions, type InspectResult, inspect } from "./inspect.js";
export { type HttpOptions, type Limits, type LoadOptions, load, type Source } from "./load.js";
export {
  type LoadSafetensorsOptions,
  loadSafetensors,
  Safetensors,
  type SaveSafetensorsOptions,
  saveSafetensors,
} from "./safetensors.js";
export { type SaveOptions, type SaveReport, save } from "./save.js";
export {
  type ScanFinding,
  type ScannedFile,
  type ScanOptions,
  type ScanReport,
  type ScanRule,
  type ScanVerdict,
  scan,
} from "./scan.js";
export { type StateDictOptions, stateDict } from "./state-dict.js";
