import { show } from "../base/brief.js";
import { checkOptions } from "../base/check.js";
import { SdaError } from "../base/errors.js";
import { isMap, isSet } from "../base/realm.js";
import { ScriptModule } from "../values/described.js";
import { PyObject, Tensor } from "../values/values.js";

/** The options of `stateDict`. */
export interface StateDictOptions {
  /**
   * Where the weights are: a key, or keys joined by dots, as the error lists them. Default: the
   * only place, or the usual one
   */
  key?: string;
}

/** The keys under which programs keep a model's weights; the first that holds some is taken. */
const USUAL = [
  "state_dict",
  "model_state_dict",
  "model_state",
  "model",
  "module",
  "net",
  "network",
  "weights",
  "params_ema",
  "params",
  "ema",
  "model_ema",
  "state_dict_ema",
  "ema_state_dict",
  "g_ema",
  "generator",
];

/** What wrappers put before every name: DataParallel, torch.compile. */
const WRAPPERS = ["module.", "_orig_mod."];

/** Keys whose tensors are no weights. */
const NO_WEIGHTS = /optim|sched|scaler|rng|loss|metric|history|callbacks|config|args/i;

const MOST_CANDIDATES = 50;
const MOST_DEPTH = 4;

/**
 * The weights in what `load` returned, as the model's `state_dict()` names them: of a state dict, a
 * checkpoint that holds one under a usual key (`state_dict`, `model`, `ema`, …), a Lightning
 * checkpoint, a whole module that was loaded with `unknownGlobals: "inert"`, with its parameters
 * and persistent buffers, or a TorchScript program; a frozen program has its weights as constants,
 * which its code calls `CONSTANTS.c0` and so on. What wrappers such as `DataParallel` put before
 * all names is left out. An optimizer's moments are no weights.
 *
 * @param value anything that `load` returns
 * @returns name → tensor, in the order of the file; the tensors are those of `value`
 * @throws SdaError ERR_SDA_ARGUMENT with `details.candidates`, the possible keys: there are no
 *   weights, there are several models, or `key` leads to none
 * @example
 * ```js
 * const checkpoint = await load("checkpoint.pt");
 * for (const [name, { dtype, shape }] of stateDict(checkpoint)) console.log(name, dtype, shape);
 * ```
 */
export function stateDict(value: unknown, options: StateDictOptions = {}): Map<string, Tensor> {
  checkOptions("options", options, ["key"]);
  const { key } = options;
  if (key !== undefined) {
    const found = weightsOf(at(value, key));
    if (found) return found;
    throw refuse(candidatesIn(value), `no weights under the key ${show(key)}`);
  }
  const own = weightsOf(value);
  if (own) return own;
  const members = membersOf(value);
  for (const usual of USUAL) {
    const found = weightsOf(members.get(usual));
    if (found) return found;
  }
  const candidates = candidatesIn(value);
  if (candidates.length === 1) return weightsOf(at(value, candidates[0] as string)) as Weights;
  throw refuse(
    candidates,
    candidates.length === 0 ? "no weights" : "the weights of several models",
  );
}

type Weights = Map<string, Tensor>;

function refuse(candidates: string[], problem: string): SdaError {
  const hint = candidates.length > 0 ? `; give one of these as key: ${candidates.join(", ")}` : "";
  return new SdaError("ERR_SDA_ARGUMENT", `${problem} in this value${hint}`, {
    option: "key",
    candidates,
  });
}

/** The weights of a state dict or a module; null: it is neither. */
function weightsOf(value: unknown): Weights | null {
  const weights =
    value instanceof ScriptModule
      ? ofScript(value)
      : isModule(value)
        ? ofModule(value, "", new Map(), new Set())
        : isStateDict(value)
          ? new Map([...value].filter((entry): entry is [string, Tensor] => isWeight(entry[1])))
          : null;
  return weights && withoutWrappers(weights);
}

function isWeight(value: unknown): value is Tensor {
  return value instanceof Tensor;
}

/** Whether most values are tensors by name, and none holds others. */
function isStateDict(value: unknown): value is Map<string, unknown> {
  if (!isMap(value) || value.size === 0) return false;
  let tensors = 0;
  for (const [key, item] of value) {
    if (typeof key !== "string") return false;
    if (isWeight(item)) tensors++;
    // What modules keep by get_extra_state()
    else if (!key.endsWith("_extra_state") && holdsTensors(item, 2)) return false;
  }
  return tensors > 0 && 2 * tensors >= value.size;
}

function holdsTensors(value: unknown, depth: number): boolean {
  if (isWeight(value)) return true;
  if (depth === 0) return false;
  if (value instanceof PyObject) {
    return [value.state, value.args, value.entries].some((part) => holdsTensors(part, depth));
  }
  if (isMap(value)) return [...value.values()].some((item) => holdsTensors(item, depth - 1));
  return Array.isArray(value) && value.some((item) => holdsTensors(item, depth - 1));
}

/** The attributes of an object; empty: it has none. */
function attributesOf(value: unknown): Map<unknown, unknown> {
  if (!(value instanceof PyObject)) return new Map();
  // (__dict__, __slots__) of an object with slots
  const state = Array.isArray(value.state) ? value.state[0] : value.state;
  if (isMap(state)) return state;
  // torch.fx makes its modules by a function that takes the attributes.
  const [first] = value.args;
  return isMap(first) ? first : new Map();
}

function isModule(value: unknown): value is PyObject {
  const attributes = attributesOf(value);
  return isMap(attributes.get("_parameters")) && isMap(attributes.get("_modules"));
}

/** As torch.nn.Module.state_dict() names parameters and persistent buffers. */
function ofModule(module: PyObject, prefix: string, found: Weights, open: Set<PyObject>): Weights {
  if (open.has(module)) return found;
  open.add(module);
  const attributes = attributesOf(module);
  const hidden = attributes.get("_non_persistent_buffers_set");
  for (const group of ["_parameters", "_buffers"]) {
    const tensors = attributes.get(group);
    if (!isMap(tensors)) continue;
    for (const [name, tensor] of tensors) {
      const isHidden = group === "_buffers" && isSet(hidden) && hidden.has(name);
      if (isWeight(tensor) && !isHidden) found.set(`${prefix}${String(name)}`, tensor);
    }
  }
  const modules = attributes.get("_modules");
  if (isMap(modules)) {
    for (const [name, inner] of modules) {
      if (isModule(inner)) ofModule(inner, `${prefix}${String(name)}.`, found, open);
    }
  }
  open.delete(module);
  return found;
}

/** A TorchScript program's parameters and buffers, as its code declares them. */
function ofScript(program: ScriptModule): Weights {
  const found: Weights = new Map();
  const declared = declarations(program.code);
  const visit = (module: PyObject, prefix: string, open: readonly PyObject[]): void => {
    if (open.includes(module) || open.length > MOST_MODULES_DEEP) return;
    const attributes = attributesOf(module);
    const names = declared.get(`${module.module}.${module.name}`) ?? [...attributes.keys()];
    for (const name of names) {
      const tensor = attributes.get(name);
      if (isWeight(tensor)) found.set(`${prefix}${String(name)}`, tensor);
    }
    for (const [name, inner] of attributes) {
      const isScript = inner instanceof PyObject && inner.module.startsWith("__torch__");
      if (isScript) visit(inner, `${prefix}${String(name)}.`, [...open, module]);
    }
  };
  visit(program.root, "", []);
  if (found.size > 0) return found;
  program.constants.forEach((constant, i) => {
    if (isWeight(constant)) found.set(`CONSTANTS.c${i}`, constant);
  });
  return found;
}

const MOST_MODULES_DEEP = 200;

/** The names of the parameters and buffers of each class of a TorchScript program. */
function declarations(code: ReadonlyMap<string, string>): Map<string, string[]> {
  const declared = new Map<string, string[]>();
  for (const [path, text] of code) {
    const module = path.replace(/\.py$/, "").replaceAll("/", ".");
    const classes = /^class (\w+)\(.*\):\n((?: {2}__\w+__ = \[.*\]\n)*)/gm;
    for (const [, name, lists = ""] of text.matchAll(classes)) {
      const names = [...lists.matchAll(/__(?:parameters|buffers)__ = \[(.*)\]/g)].flatMap(
        ([, list = ""]) => [...list.matchAll(/"([^"]*)"/g)].map(([, label]) => label as string),
      );
      declared.set(`${module}.${name}`, names);
    }
  }
  return declared;
}

function withoutWrappers(weights: Weights): Weights {
  const names = [...weights.keys()];
  const wrapper = WRAPPERS.find((prefix) => names.every((name) => name.startsWith(prefix)));
  if (wrapper === undefined || names.length === 0) return weights;
  const inner = new Map([...weights].map(([name, tensor]) => [name.slice(wrapper.length), tensor]));
  return withoutWrappers(inner);
}

/** What Optimizer.state_dict() returns: its moments are no weights. */
function isOptimizer(value: unknown): boolean {
  return isMap(value) && value.has("state") && value.has("param_groups");
}

/** The values in a dict, an object or a list, by the texts that keys use. */
function membersOf(value: unknown): Map<string, unknown> {
  if (isOptimizer(value)) return new Map();
  const entries: Iterable<[unknown, unknown]> = isMap(value)
    ? value
    : value instanceof PyObject
      ? [...attributesOf(value), ...value.entries]
      : Array.isArray(value)
        ? value.entries()
        : [];
  const members = new Map<string, unknown>();
  for (const [key, item] of entries) {
    const isText = typeof key === "string" || typeof key === "number";
    if (isText && typeof item === "object" && item !== null) members.set(String(key), item);
  }
  return members;
}

/** The value under keys that are joined by dots; a key may itself have dots. */
function at(value: unknown, key: string): unknown {
  const members = membersOf(value);
  if (members.has(key)) return members.get(key);
  for (let dot = key.indexOf("."); dot !== -1; dot = key.indexOf(".", dot + 1)) {
    const head = key.slice(0, dot);
    if (!members.has(head)) continue;
    const found = at(members.get(head), key.slice(dot + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The keys that lead to weights. */
function candidatesIn(value: unknown): string[] {
  const found: string[] = [];
  const seen = new Set<unknown>();
  const visit = (item: unknown, path: string, depth: number) => {
    for (const [key, member] of membersOf(item)) {
      if (found.length === MOST_CANDIDATES || NO_WEIGHTS.test(key) || seen.has(member)) continue;
      seen.add(member);
      const here = path === "" ? key : `${path}.${key}`;
      if (weightsOf(member)) found.push(here);
      else if (depth < MOST_DEPTH) visit(member, here, depth + 1);
    }
  };
  visit(value, "", 1);
  return found;
}
