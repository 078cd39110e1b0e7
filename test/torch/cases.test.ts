/**
 * Files of many programs and what PyTorch reads in them, from ../shared/cases/torch, where that
 * folder is. Each is read by default if torch.load reads it with weights_only, otherwise with inert
 * descriptions of what torch.load would run.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import {
  Complex,
  inspect,
  load,
  MetaTensor,
  NdArray,
  PyGlobal,
  save,
  Tensor,
} from "../../lib/torch/index.js";
import { temporaryFolder } from "../support/folder.js";

const folder = fileURLToPath(new URL("../../../shared/cases/torch/", import.meta.url));
const file = (name: string) => `${folder}files/${name}`;

// biome-ignore lint/suspicious/noExplicitAny: JSON of many forms; see the README beside the files
type Canonical = any;

interface Case {
  file: string;
  reads: "weights_only" | "full" | "stub" | "no";
  value?: Canonical;
  /** [dtype, shape, hash] of each tensor in the file */
  tensors: [string, number[], string][];
}

const cases: Case[] = existsSync(`${folder}expected.jsonl`)
  ? readFileSync(`${folder}expected.jsonl`, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
  : [];

/** Python makes these tensors when it reads the file; the file has only their numbers. */
const MADE_BY_PYTHON = ["quant_dynamic_whole.pt"];

function hash(data: ArrayBufferView): string {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return `${createHash("sha256").update(bytes).digest("hex").slice(0, 16)}:${bytes.length}`;
}

/** Every tensor that can be reached from a value. */
function tensorsIn(value: unknown, found = new Set<string>(), seen = new Set<unknown>()) {
  if (typeof value !== "object" || value === null || seen.has(value)) return found;
  seen.add(value);
  if (value instanceof Tensor) {
    found.add(JSON.stringify([value.dtype, value.shape, hash(value.data)]));
  } else if (value instanceof Map) {
    for (const entry of value) for (const part of entry) tensorsIn(part, found, seen);
  } else if (value instanceof Set || Array.isArray(value)) {
    for (const item of value) tensorsIn(item, found, seen);
  } else if (!ArrayBuffer.isView(value)) {
    for (const part of Object.values(value)) tensorsIn(part, found, seen);
  }
  return found;
}

const double = (hex: string) => Buffer.from(hex, "hex").readDoubleBE();

/** Compares a value with its canonical form, as far as that has one. */
function expectCanonical(actual: unknown, [kind, ...content]: Canonical, where: string): void {
  const [first, second, third] = content;
  const each = (items: readonly unknown[], forms: Canonical[]) => {
    expect(items.length, where).toBe(forms.length);
    forms.forEach((form, i) => {
      expectCanonical(items[i], form, `${where}[${i}]`);
    });
  };
  switch (kind) {
    case "N":
      expect(actual, where).toBe(null);
      break;
    case "b":
    case "s":
      expect(actual, where).toBe(first);
      break;
    case "n": {
      const isFloat = /^[0-9a-f]{16}$/.test(first);
      if (first === "nan") expect(actual, where).toBeNaN();
      else if (!isFloat) expect(BigInt(actual as number), where).toBe(BigInt(first));
      else expect([double(first), Number(first)], where).toContain(Number(actual));
      break;
    }
    case "c":
      expect(actual, where).toBeInstanceOf(Complex);
      break;
    case "y":
      expect(actual, where).toBeInstanceOf(Uint8Array);
      break;
    case "l":
    case "t":
      expect(Array.isArray(actual), where).toBe(true);
      each(actual as unknown[], first);
      break;
    case "d":
    case "od":
      expect(actual, where).toBeInstanceOf(Map);
      each([...(actual as Map<unknown, unknown>)].flat(), first.flat());
      break;
    case "set":
      expect((actual as Set<unknown>).size, where).toBe(first.length);
      break;
    case "T":
      if (third === "meta") {
        expect(actual, where).toBeInstanceOf(MetaTensor);
        expect(actual, where).toMatchObject({ dtype: first, shape: second });
        break;
      }
      expect(actual, where).toBeInstanceOf(Tensor);
      expect([(actual as Tensor).dtype, (actual as Tensor).shape], where).toEqual([first, second]);
      expect(hash((actual as Tensor).data), where).toBe(third);
      break;
    case "A":
      if (first === "float128") break; // a NumpyArray
      expect(actual, where).toBeInstanceOf(NdArray);
      expect(hash((actual as NdArray).data), where).toBe(third);
      break;
    case "g":
      expect(actual, where).toBeInstanceOf(PyGlobal);
      expect(`${(actual as PyGlobal).module}.${(actual as PyGlobal).name}`, where).toBe(
        `${first}.${second}`,
      );
      break;
    default: // an object, or what has no simple form
      expect(typeof actual, where).not.toBe("undefined");
  }
}

describe.skipIf(cases.length === 0)("a file that torch.load reads", () => {
  const readable = cases.filter(({ reads }) => reads !== "no");

  test.each(readable)("$file ($reads)", async ({ file: name, reads, value, tensors }) => {
    for (const verify of [true, false]) {
      const unknownGlobals = reads === "weights_only" ? "reject" : "inert";
      const content = await load(file(name), { verify, unknownGlobals });
      const found = tensorsIn(content);
      const missing = tensors.filter((tensor) => !found.has(JSON.stringify(tensor)));
      if (!MADE_BY_PYTHON.includes(name)) expect(missing).toEqual([]);
      if (value && reads === "weights_only") expectCanonical(content, value, "value");
    }
    expect((await inspect(file(name))).tensors.length).toBeGreaterThanOrEqual(0);
  });

  const valued = readable.filter(({ reads, value }) => reads === "weights_only" && value);
  test.each(valued)("$file is saved as it was", async ({ file: name, value }) => {
    const path = join(temporaryFolder(), "again.pt");
    await save(await load(file(name)), path);
    expectCanonical(await load(path), value, "value");
  });
});

describe.skipIf(cases.length === 0)("a file that torch.load does not read", () => {
  test.each(cases.filter(({ reads }) => reads === "no"))("$file", async ({ file: name }) => {
    const outcome = await load(file(name), { unknownGlobals: "inert" }).then(
      () => "read",
      (error) => error.code,
    );
    expect([
      "read",
      "ERR_SDA_FORMAT",
      "ERR_SDA_CORRUPT",
      "ERR_SDA_UNSAFE",
      "ERR_SDA_VERSION",
    ]).toContain(outcome);
  });
});
