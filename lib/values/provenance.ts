/**
 * Remembers the Python type of values where JavaScript does not show it: 1 was a float, 0.5 was a
 * numpy scalar, a Uint8Array was a bytearray. `load` stores this beside the containers that it
 * makes, and `save` then writes each unchanged value with its original type. A value that was
 * replaced, or copied into another container, is written with the type that JavaScript shows.
 *
 * A slot describes one item of a container: its index and its kind, in one number.
 */

/**
 * The native reader's numbers for the kinds: 0 is the type that JavaScript shows, 1 is a float, 63
 * is a TorchVersion, and the others are numpy scalars with the dtype number kind - 2.
 */
export const SLOT_FLOAT = 1;
export const SLOT_NUMPY_SCALAR = 2;
export const SLOT_VERSION = 63;

/** A slot is index * SLOT_KINDS + kind. */
export const SLOT_KINDS = 64;

/** The bits of `mark`; native/addon/marshal/values.h has the same. */
export const MARK = {
  frozenSet: 1,
  byteArray: 2,
  requiresGrad: 4,
  parameter: 8,
  storage: 16,
  untyped: 32,
  size: 64,
  elsewhere: 128,
  hooked: 256,
  bigEndian: 512,
  conjugate: 1024,
} as const;

/** Slots in ascending order of their indices */
export type Slots = readonly number[] | Float64Array;

/** The slots of an array, and the value that it had at each. */
interface ArraySlots {
  slots: Slots;
  values: unknown[];
}

interface MapSlot {
  keyKind: number;
  valueKind: number;
  value: unknown;
}

/** By the key: its kind, the kind of its value, and the value that it had */
export type MapKinds = Map<unknown, MapSlot>;

/** What a tensor viewed in its file, of which it has a row-major copy. */
export interface View {
  /** Of the whole storage */
  buffer: ArrayBuffer;
  /** In elements, as the strides */
  offset: number;
  strides: readonly number[];
}

const arrays = new WeakMap<object, ArraySlots>();
const maps = new WeakMap<object, MapKinds>();
const sets = new WeakMap<object, Map<unknown, number>>();
const states = new WeakMap<object, { kind: number; value: unknown }>();
const views = new WeakMap<object, View>();
const marks = new WeakMap<object, number>();

function indexOf(slot: number): number {
  return Math.floor(slot / SLOT_KINDS);
}

function kindOf(slot: number): number {
  return slot % SLOT_KINDS;
}

/** Stores the slots of an array that is filled. */
export function rememberArray(array: unknown[], slots: Slots): void {
  const values = new Array<unknown>(slots.length);
  for (let i = 0; i < slots.length; i++) values[i] = array[indexOf(slots[i] as number)];
  arrays.set(array, { slots, values });
}

/** Stores the kinds of a map's keys and values. */
export function rememberMap(map: Map<unknown, unknown>, kinds: MapKinds): void {
  maps.set(map, kinds);
}

/** Stores the kinds of a set's members. */
export function rememberSet(set: Set<unknown>, kinds: Map<unknown, number>): void {
  sets.set(set, kinds);
}

/** Stores the kind of an object's state. */
export function rememberState(object: { state: unknown }, kind: number): void {
  states.set(object, { kind, value: object.state });
}

/** Adds bits of `MARK` to a value. */
export function mark(target: object, bits: number): void {
  marks.set(target, (marks.get(target) ?? 0) | bits);
}

export function marksOf(target: object): number {
  return marks.get(target) ?? 0;
}

/** Stores what a tensor viewed. */
export function rememberView(
  tensor: object,
  buffer: ArrayBuffer,
  offset: number,
  strides: readonly number[],
): void {
  views.set(tensor, { buffer, offset, strides });
}

export function viewOf(tensor: object): View | null {
  return views.get(tensor) ?? null;
}

/** Makes `save` write the number under `key` as a float, even if it has no fraction. */
export function markFloat(map: Map<unknown, unknown>, key: unknown): void {
  const entries = maps.get(map) ?? new Map<unknown, MapSlot>();
  entries.set(key, { keyKind: 0, valueKind: SLOT_FLOAT, value: map.get(key) });
  maps.set(map, entries);
}

/** Makes `save` write all numbers of the array as floats. */
export function markFloats(array: number[]): number[] {
  rememberArray(
    array,
    Float64Array.from(array, (_, i) => i * SLOT_KINDS + SLOT_FLOAT),
  );
  return array;
}

/**
 * Returns a function that gives the kind of an array's item; 0 if nothing is known of it, or if the
 * item was replaced. Callers must ask for ascending indices. Null: nothing is known of the array.
 */
export function arrayKinds(array: object): ((index: number, value: unknown) => number) | null {
  const known = arrays.get(array);
  if (known === undefined) return null;
  const { slots, values } = known;
  let next = 0;
  return (index, value) => {
    while (next < slots.length && indexOf(slots[next] as number) < index) next++;
    const slot = slots[next];
    const isSame = slot !== undefined && indexOf(slot) === index && Object.is(values[next], value);
    return isSame ? kindOf(slot) : 0;
  };
}

const UNKNOWN_KINDS: [key: number, value: number] = [0, 0];

/** @returns the kinds of a map's key and of its value; 0 if the value was replaced */
export function mapKinds(map: object, key: unknown, value: unknown): [key: number, value: number] {
  const slot = maps.get(map)?.get(key);
  if (slot === undefined) return UNKNOWN_KINDS;
  return [slot.keyKind, Object.is(slot.value, value) ? slot.valueKind : 0];
}

export function setKind(set: object, member: unknown): number {
  return sets.get(set)?.get(member) ?? 0;
}

export function stateKind(object: { state: unknown }): number {
  const slot = states.get(object);
  return slot !== undefined && Object.is(slot.value, object.state) ? slot.kind : 0;
}
