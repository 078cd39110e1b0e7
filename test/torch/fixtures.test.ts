/** Files written by PyTorch (scripts/python/make_fixtures.py), compared with what Python reads. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkpointAddon } from "../../lib/native/load.js";
import {
  inspect,
  load,
  NumpyArray,
  type PyObject,
  QuantizedTensor,
  save,
  Tensor,
} from "../../lib/torch/index.js";
import { type Description, expectDescribed } from "../support/described.js";
import { sdaError } from "../support/errors.js";
import { temporaryFolder } from "../support/folder.js";

const folder = new URL("../fixtures/", import.meta.url);
const file = (name: string) => new URL(name, folder);

interface Fixture {
  file: string;
  bytes: number;
  container: "zip" | "legacy" | "none";
  /** "module name", as in the pickle */
  globals?: string[];
  value?: Description;
  same_value_as?: string;
  /** The value of the dict's last key: its class, and what its getters return */
  typed?: Record<string, unknown>;
  /** An error code, or "any" */
  refuse?: string;
  parameters?: Record<string, string>;
}

const fixtures: Fixture[] = ["golden.json", "golden-numpy1.json"].flatMap(
  (name) => JSON.parse(readFileSync(file(name), "utf8")).files,
);
const byName = new Map(fixtures.map((fixture) => [fixture.file, fixture]));
const table = (wanted: (fixture: Fixture) => boolean) =>
  fixtures.filter(wanted).map((fixture) => [fixture.file, fixture] as const);

test("every file is described", () => {
  const files = readdirSync(file("torch")).map((name) => `torch/${name}`);
  expect([...byName.keys()].sort()).toEqual(files.sort());
});

/** As make_fixtures.py describes elements. */
function plain(value: unknown, isData = false): unknown {
  if (value instanceof Uint8Array && !isData) return Buffer.from(value).toString("hex");
  if (value instanceof Tensor) return Array.from(value.data as Float64Array, Number);
  if (ArrayBuffer.isView(value)) return Array.from(value as Float64Array);
  if (Array.isArray(value)) return value.map((item) => plain(item));
  return typeof value === "bigint" ? Number(value) : value;
}

describe.each(table(({ typed }) => Boolean(typed)))("%s", (name, { typed, container, globals }) => {
  const check = (content: unknown) => {
    const value = [...(content as Map<string, unknown>).values()].at(-1) as object;
    expect(value.constructor.name).toBe(typed?.["class"]);
    for (const [key, wanted] of Object.entries(typed ?? {})) {
      if (key === "class") continue;
      const found =
        value instanceof NumpyArray && key === "elements"
          ? value.toArray()
          : value instanceof QuantizedTensor && key === "dequantized"
            ? value.dequantize()
            : (value as Record<string, unknown>)[key];
      expect(plain(found, key === "data"), key).toEqual(wanted);
    }
  };

  test.each([{}, { verify: false }])("is read as a value of its class: %o", async (options) => {
    check(await load(file(name), options));
  });

  test("is saved as it was", async () => {
    const path = join(temporaryFolder(), "again.pt");
    await save(await load(file(name)), path);
    check(await load(path));
    expect((await inspect(path)).globals.length).toBeGreaterThan(1);
  });

  test("is inspected", async () => {
    const report = await inspect(file(name));
    expect(report.container).toBe(container);
    expect(report.globals).toEqual(globals?.map((global) => global.replace(" ", ".")).sort());
  });
});

describe.each(table(({ refuse, typed }) => !refuse && !typed))("%s", (name, fixture) => {
  const value = fixture.value ?? byName.get(fixture.same_value_as ?? "")?.value;

  test.each([
    ["read and verified", {}],
    ["mapped", { verify: false }],
  ])("%s", async (_, options) => {
    expectDescribed(await load(file(name), options), value);
  });

  test("without weights", async () => {
    const read = await load(file(name), { weights: false });
    expect(read === null || typeof read).toBe(value === null || typeof (await load(file(name))));
  });

  test("inspected", async () => {
    const report = await inspect(file(name));
    expect(report).toMatchObject({ container: fixture.container, bytes: fixture.bytes });
    if (fixture.globals) {
      expect(report.globals).toEqual(
        fixture.globals.map((global) => global.replace(" ", ".")).sort(),
      );
    }
  });

  test("verified", async () => {
    const report = await checkpointAddon().verify(file(name).pathname);
    expect(report).toMatchObject({ ok: true, problems: [], bytes: fixture.bytes });
  });
});

test.each(table(({ refuse }) => Boolean(refuse)))("%s is refused", async (name, fixture) => {
  for (const options of [{}, { verify: false }, { weights: false }]) {
    const error = await sdaError(() => load(file(name), options));
    expect(error.code).toMatch(fixture.refuse === "any" ? /^ERR_SDA_/ : (fixture.refuse as string));
    expect(error.details).toMatchObject({ path: file(name).pathname, offset: expect.any(Number) });
    const { global } = error.details as { global?: string };
    if (global) expect(fixture.globals?.map((known) => known.replace(" ", "."))).toContain(global);
  }
  const { ok } = await checkpointAddon().verify(file(name).pathname);
  expect(ok).toBe(false);
});

test.each(table(({ parameters }) => Boolean(parameters)))(
  "%s, inert, has its weights",
  async (name, { parameters }) => {
    const module = (await load(file(name), { unknownGlobals: "inert" })) as PyObject;
    const found = new Map<string, string>();
    const visit = (value: unknown, path: string) => {
      if (value instanceof Tensor) {
        const { buffer, byteOffset, byteLength } = value.data;
        found.set(path, Buffer.from(buffer, byteOffset, byteLength).toString("hex"));
      } else if (value instanceof Map) {
        for (const [key, inner] of value) {
          const part = ["_parameters", "_modules"].includes(key) ? "" : `.${key}`;
          visit(inner, `${path}${part}`.replace(/^\./, ""));
        }
      } else if (value && typeof value === "object" && "state" in value) {
        visit(value.state, path);
      }
    };
    visit(module, "");
    expect(Object.fromEntries(found)).toMatchObject(parameters as object);
  },
);

/** A text that is equal for equal content. Comparing weights element by element takes seconds. */
function digest(value: unknown): string {
  return JSON.stringify(value, (_, part) => {
    if (part instanceof Tensor) {
      const { buffer, byteOffset, byteLength } = part.data;
      const bytes = new Uint8Array(buffer, byteOffset, byteLength);
      return [part.dtype, part.shape, createHash("sha256").update(bytes).digest("hex")];
    }
    return part instanceof Map ? [...part] : part;
  });
}

describe("models", () => {
  const models = readdirSync(file("models")).filter((name) => name.endsWith(".sda"));
  test.each([...models.map((name) => `models/${name}`), "checkpoints/tiny.pt"])(
    "%s",
    async (name) => {
      const [read, mapped] = await Promise.all([
        load(file(name)),
        load(file(name), { verify: false }),
      ]);
      expect(read).toBeInstanceOf(Map);
      expect(digest(mapped)).toBe(digest(read));
      expect((await checkpointAddon().verify(file(name).pathname)).problems).toEqual([]);
    },
  );
});
