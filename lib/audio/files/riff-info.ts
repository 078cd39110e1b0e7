/** The INFO list of a WAV file. */
import type { Bytes } from "../../values/arrays.js";
import type { Field } from "./tags.js";

/** @returns the whole LIST chunk, which has an even length */
export function writeInfo(fields: readonly Field[]): Bytes {
  const chunks = fields.map(([id, value]) => chunk(id, Buffer.from(`${value}\0`, "utf8")));
  return new Uint8Array(chunk("LIST", Buffer.concat([Buffer.from("INFO"), ...chunks])));
}

function chunk(id: string, content: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.write(id, "latin1");
  head.writeUInt32LE(content.length, 4);
  return Buffer.concat([head, content, Buffer.alloc(content.length % 2)]);
}

/** @param list content of a LIST chunk. null: the text is missing, or the list is damaged */
export function findInfo(list: Buffer, id: string): string | null {
  if (list.toString("latin1", 0, 4) !== "INFO") return null;
  for (let at = 4; at + 8 <= list.length; ) {
    const start = at + 8;
    const end = start + list.readUInt32LE(at + 4);
    if (end > list.length) return null;
    if (list.toString("latin1", at, at + 4) === id) {
      return list.toString("utf8", start, end).replace(/\0.*$/s, "");
    }
    at = end + (end % 2 === start % 2 ? 0 : 1);
  }
  return null;
}
