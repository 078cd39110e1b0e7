/**
 * How values came whose JavaScript form doesn't tell: that 1 was a float, that 0.5 was a numpy scalar, that a
 * Uint8Array was a bytearray. Remembered beside the containers that `load` makes, so that `save` writes what is still
 * there as it came; a value that has been changed since, or copied elsewhere, is written by what it looks like.
 */

/** What the native reader calls the kinds: 1 is a float, 2 and up are numpy scalars of dtype kind - 2. */
export const SLOT_FLOAT = 1;
export const SLOT_NUMPY_SCALAR = 2;

/** Bits of `mark`, as in native/addon/values.h. */
export const MARK = {
  frozenSet: 1,
  byteArray: 2,
  requiresGrad: 4,
  parameter: 8,
  storage: 16,
  untyped: 32,
} as const;

/** Ascending indices into an array, what stood there, and how that came. */
interface ArraySlots {
  at: Uint32Array;
  kinds: Uint8Array;
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

/** Called by the native reader once `array` is filled. */
export function rememberArray(array: unknown[], at: Uint32Array, kinds: Uint8Array): void {
  const values = new Array<unknown>(at.length);
  for (let i = 0; i < at.length; i++) values[i] = array[at[i] as number];
  arrays.set(array, { at, kinds, values });
}

/** What is remembered of keys and values in a row becomes knowledge of the map that was made of them. */
export function rememberMap(map: Map<unknown, unknown>, flat: unknown[]): void {
  const slots = arrays.get(flat);
  if (slots === undefined) return;
  const entries = new Map<unknown, MapSlot>();
  slots.at.forEach((index, i) => {
    const kind = slots.kinds[i] as number;
    const isKey = index % 2 === 0;
    const key = flat[isKey ? index : index - 1];
    const value = flat[isKey ? index + 1 : index];
    // A key may have come twice: then the later value counts.
    const known = entries.get(key);
    const keyKind = isKey ? kind : (known?.keyKind ?? 0);
    entries.set(key, { keyKind, valueKind: isKey ? 0 : kind, value });
  });
  maps.set(map, entries);
}

export function rememberSet(set: Set<unknown>, items: unknown[]): void {
  const slots = arrays.get(items);
  if (slots === undefined) return;
  const members = new Map<unknown, number>();
  slots.values.forEach((value, i) => {
    members.set(value, slots.kinds[i] as number);
  });
  sets.set(set, members);
}

/** The pairs that `flat` was cut into. */
export function rememberPairs(pairs: unknown[][], flat: unknown[]): void {
  const slots = arrays.get(flat);
  slots?.at.forEach((index, i) => {
    const pair = pairs[Math.floor(index / 2)] as unknown[];
    const known = arrays.get(pair);
    const at = [...(known?.at ?? []), index % 2];
    rememberArray(
      pair,
      Uint32Array.from(at),
      Uint8Array.from([...(known?.kinds ?? []), slots.kinds[i] as number]),
    );
  });
}

export function rememberState(object: { state: unknown }, kind: number): void {
  states.set(object, { kind, value: object.state });
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
    Uint32Array.from(array.keys()),
    new Uint8Array(array.length).fill(SLOT_FLOAT),
  );
  return array;
}

/** How the items of an array came, 0 for what shows; to be asked for ascending indices. */
export function arrayKinds(array: object): ((index: number, value: unknown) => number) | null {
  const slots = arrays.get(array);
  if (slots === undefined) return null;
  let next = 0;
  return (index, value) => {
    while (next < slots.at.length && (slots.at[next] as number) < index) next++;
    const here = slots.at[next] === index && Object.is(slots.values[next], value);
    return here ? (slots.kinds[next] as number) : 0;
  };
}

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

const NOTHING: [number, number] = [0, 0];
