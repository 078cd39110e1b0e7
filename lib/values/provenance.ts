/**
 * How values came whose JavaScript form doesn't tell: that 1 was a float, that 0.5 was a numpy scalar, that a
 * Uint8Array was a bytearray. Remembered beside the containers that `load` makes, so that `save` writes what is still
 * there as it came; a value that has been changed since, or copied elsewhere, is written by what it looks like.
 */

/** What the native reader calls the kinds: 1 is a float, 2 and up are numpy scalars of dtype kind - 2. */
export const SLOT_FLOAT = 1;
export const SLOT_NUMPY_SCALAR = 2;

/** A slot is index * SLOT_KINDS + kind, in one number. */
export const SLOT_KINDS = 32;

/** Bits of `mark`, as in native/addon/marshal/values.h. */
export const MARK = {
  frozenSet: 1,
  byteArray: 2,
  requiresGrad: 4,
  parameter: 8,
  storage: 16,
  untyped: 32,
} as const;

/** Slots in the order of their indices, and the values that stood there. */
interface ArraySlots {
  slots: Float64Array;
  values: unknown[];
}

interface MapSlot {
  keyKind: number;
  valueKind: number;
  value: unknown;
}

const arrays = new WeakMap<object, ArraySlots>();
const maps = new WeakMap<object, Map<unknown, MapSlot>>();
const sets = new WeakMap<object, Map<unknown, number>>();
const states = new WeakMap<object, { kind: number; value: unknown }>();
const marks = new WeakMap<object, number>();

function indexOf(slot: number): number {
  return Math.floor(slot / SLOT_KINDS);
}

function kindOf(slot: number): number {
  return slot % SLOT_KINDS;
}

/** Called by the native reader once `array` is filled. */
export function rememberArray(array: unknown[], slots: Float64Array): void {
  const values = new Array<unknown>(slots.length);
  for (let i = 0; i < slots.length; i++) values[i] = array[indexOf(slots[i] as number)];
  arrays.set(array, { slots, values });
}

/** What is remembered of keys and values in a row becomes knowledge of the map that was made of them. */
export function rememberMap(map: Map<unknown, unknown>, flat: unknown[]): void {
  const known = arrays.get(flat);
  if (known === undefined) return;
  const entries = new Map<unknown, MapSlot>();
  for (const slot of known.slots) {
    const index = indexOf(slot);
    const isKey = index % 2 === 0;
    const key = flat[isKey ? index : index - 1];
    const value = flat[isKey ? index + 1 : index];
    // A key may have come twice: then the later value counts.
    const keyKind = isKey ? kindOf(slot) : (entries.get(key)?.keyKind ?? 0);
    entries.set(key, { keyKind, valueKind: isKey ? 0 : kindOf(slot), value });
  }
  maps.set(map, entries);
}

export function rememberSet(set: Set<unknown>, items: unknown[]): void {
  const known = arrays.get(items);
  if (known === undefined) return;
  const members = known.values.map(
    (value, i) => [value, kindOf(known.slots[i] as number)] as const,
  );
  sets.set(set, new Map(members));
}

/** The pairs that `flat` was cut into. */
export function rememberPairs(pairs: unknown[][], flat: unknown[]): void {
  for (const slot of arrays.get(flat)?.slots ?? []) {
    const index = indexOf(slot);
    const pair = pairs[Math.floor(index / 2)] as unknown[];
    const others = arrays.get(pair)?.slots ?? [];
    rememberArray(pair, Float64Array.of(...others, (index % 2) * SLOT_KINDS + kindOf(slot)));
  }
}

export function rememberState(object: { state: unknown }, slot: number): void {
  states.set(object, { kind: kindOf(slot), value: object.state });
}

export function mark(target: object, bits: number): void {
  marks.set(target, (marks.get(target) ?? 0) | bits);
}

export function marksOf(target: object): number {
  return marks.get(target) ?? 0;
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

/** How the items of an array came, 0 for what shows; to be asked for ascending indices. */
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

const NOTHING: [key: number, value: number] = [0, 0];

export function mapKinds(map: object, key: unknown, value: unknown): [key: number, value: number] {
  const slot = maps.get(map)?.get(key);
  if (slot === undefined) return NOTHING;
  return [slot.keyKind, Object.is(slot.value, value) ? slot.valueKind : 0];
}

export function setKind(set: object, member: unknown): number {
  return sets.get(set)?.get(member) ?? 0;
}

export function stateKind(object: { state: unknown }): number {
  const slot = states.get(object);
  return slot !== undefined && Object.is(slot.value, object.state) ? slot.kind : 0;
}
