// A recipe comes from a file that anybody may have made.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { writeId3 } from "../../lib/audio/files/id3.js";
import {
  otherModels,
  parseRecipe,
  type Recipe,
  rememberRecipe,
  writeRecipe,
} from "../../lib/audio/recipe.js";
import { encodeSound, readRecipe, SdaError, toWav } from "../../lib/index.js";
import { sdaError } from "../support/errors.js";
import { temporaryFolder } from "../support/folder.js";
import { madeSound } from "../support/made-sounds.js";

const recipe: Recipe = {
  version: "0.1.0",
  model: { id: "id-1", name: "Pads", generation: "sda", hash: "0f".repeat(32) },
  options: {
    seed: 2 ** 53 - 1,
    durationS: 1,
    concatMode: "crossfade",
    latent: new Float32Array(64),
  },
  sliders: [1, -2],
  vocoder: null,
  share: 1,
  blended: [],
  engine: { backend: "sda", device: "cpu", platform: "linux-x64" },
  file: { format: "flac", bitDepth: 24 },
  samples: null,
};

const FORMATS = ["wav", "flac", "mp3", "ogg"] as const;

async function fileOf(format: (typeof FORMATS)[number]): Promise<Buffer> {
  const sound = { audio: madeSound("pluck", 3000), sampleRate: 48000 };
  rememberRecipe(sound, async () => recipe);
  return Buffer.from(await encodeSound(sound, { format }));
}

function written(bytes: Uint8Array): string {
  const path = join(temporaryFolder(), "sound");
  writeFileSync(path, bytes);
  return path;
}

/** What reading has led to. Any other error than an SdaError fails. */
async function outcome(path: string): Promise<string> {
  try {
    return (await readRecipe(path)) === null ? "none" : "recipe";
  } catch (error) {
    if (!(error instanceof SdaError)) throw error;
    return error.code;
  }
}

const ALLOWED = ["none", "recipe", "ERR_SDA_FORMAT", "ERR_SDA_SCHEMA", "ERR_SDA_VERSION"];

describe.each(FORMATS)("a damaged %s", (format) => {
  it("that ends early has a recipe only if it is whole", async () => {
    const bytes = await fileOf(format);
    const path = written(bytes);
    expect(await outcome(path)).toBe("recipe");
    const whole = JSON.stringify(await readRecipe(path));
    const end = format === "wav" ? bytes.length : Math.min(bytes.length, 4000);
    const start = format === "wav" ? bytes.length - 1500 : 0;
    const seen = new Set<string>();
    for (let length = start; length < end; length += 7) {
      writeFileSync(path, bytes.subarray(0, length));
      const found = await outcome(path);
      seen.add(found);
      expect(["none", "recipe", "ERR_SDA_FORMAT"]).toContain(found);
      if (found === "recipe") expect(JSON.stringify(await readRecipe(path))).toBe(whole);
    }
    expect([...seen]).toContain("none");
  });

  it("with changed bytes gives a recipe, none, or a typed error, and quickly", async () => {
    const bytes = await fileOf(format);
    const path = written(bytes);
    const head = format === "wav" ? bytes.length - 1200 : 0;
    const began = performance.now();
    let state = 7;
    for (let i = 0; i < 400; i++) {
      const changed = Buffer.from(bytes);
      for (let j = 0; j < 3; j++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        const at = (i % 2 ? head : 0) + ((state >>> 8) % 1200);
        changed[Math.min(at, changed.length - 1)] = state & (j === 0 ? 0xff : 0x80) ? 0xff : 0;
      }
      writeFileSync(path, changed);
      expect(ALLOWED).toContain(await outcome(path));
    }
    expect(performance.now() - began).toBeLessThan(20_000);
  });
});

describe("no sound file", () => {
  it.each([
    ["nothing", Buffer.alloc(0)],
    ["a text", Buffer.from("hello, world, this is a text")],
    ["a RIFF that is no WAVE", Buffer.from("RIFF\x10\0\0\0AVI LIST")],
  ])("%s", async (_, bytes) => {
    expect((await sdaError(() => readRecipe(written(bytes)))).code).toBe("ERR_SDA_FORMAT");
  });

  it("a folder, a missing file, a wrong path", async () => {
    const folder = temporaryFolder();
    expect((await sdaError(() => readRecipe(folder))).code).toBe("ERR_SDA_FORMAT");
    const missing = join(folder, "a.wav");
    expect((await sdaError(() => readRecipe(missing))).code).toBe("ERR_SDA_NOT_FOUND");
    expect((await sdaError(() => readRecipe("a\0b"))).code).toBe("ERR_SDA_ARGUMENT");
  });
});

it("sound of other programs has no recipe", async () => {
  const sound = { audio: madeSound("tone", 500), sampleRate: 48000 };
  expect(await readRecipe(written(toWav(sound)))).toBe(null);
  const mp3 = await encodeSound(sound, { format: "mp3" });
  expect(mp3[0]).toBe(0x49); // an empty ID3 tag
  expect(await readRecipe(written(mp3))).toBe(null);
  expect(await readRecipe(written(mp3.subarray(10)))).toBe(null);
});

it("sizes that lie take no memory and no time", async () => {
  const wav = Buffer.from(toWav({ audio: [new Float32Array(9)], sampleRate: 48000 }));
  const list = Buffer.from("LIST\xff\xff\xff\x01INFOISRF\xff\xff\xff\x7f", "latin1");
  expect(await readRecipe(written(Buffer.concat([wav, Buffer.alloc(1), list])))).toBe(null);
  const empty = Buffer.concat(Array.from({ length: 50_000 }, () => Buffer.from("abcd\0\0\0\0")));
  const began = performance.now();
  expect(await readRecipe(written(Buffer.concat([wav, Buffer.alloc(1), empty])))).toBe(null);
  const id3 = Buffer.from("ID3\x04\0\0\x7f\x7f\x7f\x7f", "latin1");
  expect(await readRecipe(written(id3))).toBe(null);
  const flac = Buffer.from("fLaC\x04\xff\xff\xff\xff\xff\xff\x7f", "latin1");
  expect(await readRecipe(written(flac))).toBe(null);
  expect(performance.now() - began).toBeLessThan(10_000);
});

it.each([
  ["Latin-1", 0, "latin1"],
  ["UTF-8", 3, "utf8"],
] as const)("ID3 in %s is read", async (_, mark, encoding) => {
  const tag = Buffer.from(writeId3([["TXXX:sda_recipe", writeRecipe(recipe)]]));
  tag[20] = mark;
  expect(tag.toString(encoding, 21, 31)).toBe("sda_recipe");
  expect(await readRecipe(written(tag))).toEqual(recipe);
});

it.each([
  ["with a mark", 1, "\ufeff"],
  ["without a mark", 2, ""],
])("ID3 in UTF-16 %s is read", async (_, mark, bom) => {
  const text = Buffer.from(`${bom}SDA_RECIPE\0${bom}${writeRecipe(recipe)}`, "utf16le");
  const content = Buffer.concat([Buffer.of(mark), mark === 2 ? text.swap16() : text]);
  const frame = Buffer.alloc(10);
  frame.write("TXXX", "latin1");
  frame.writeUInt32BE(content.length, 4);
  const body = Buffer.concat([frame, content]);
  const size = [21, 14, 7, 0].map((shift) => (body.length >> shift) & 0x7f);
  const tag = Buffer.concat([Buffer.from("ID3\x03\0\0", "latin1"), Buffer.from(size), body]);
  expect(await readRecipe(written(tag))).toEqual(recipe);
});

describe("the text of a recipe", () => {
  const text = writeRecipe(recipe);
  /** With a part of it replaced. */
  const changed = (change: (content: Record<string, object>) => void) => {
    const content = JSON.parse(text);
    change(content);
    return JSON.stringify(content);
  };
  const set = (path: string, value: unknown) =>
    changed((content) => {
      const names = path.split(".");
      const last = names.pop() as string;
      const part = names.reduce<Record<string, unknown>>((o, n) => o[n] as never, content);
      part[last] = value;
    });

  it("is one line of ASCII that comes back", () => {
    const named = { ...recipe, model: { ...recipe.model, name: "ü\u2028\u{1f941}\n" } };
    const own = writeRecipe(named);
    expect(own).toMatch(/^[ -~]+$/);
    expect(parseRecipe(own, "a.wav")).toEqual(named);
  });

  it("of a blend, with another model's vocoder, comes back", () => {
    const vocoder = { id: "id-3", name: "Wires", generation: "distillgan", hash: null };
    const part = { model: { ...recipe.model, id: "id-2" }, options: { seed: 3, durationS: 1 } };
    const blended = [{ ...part, sliders: null, vocoder, share: 0.4 }];
    const whole = { ...recipe, vocoder, share: 0.6, blended };
    expect(parseRecipe(writeRecipe(whole), "a.wav")).toEqual(whole);
    expect(otherModels(whole).map(({ id }) => id)).toEqual(["id-3", "id-2"]);
    expect(otherModels(recipe)).toEqual([]);
  });

  it("of a newer version is refused", async () => {
    const error = await sdaError(() => parseRecipe(set("sda_recipe", 2), "a.wav"));
    expect(error).toMatchObject({ code: "ERR_SDA_VERSION", details: { version: 2, supported: 1 } });
  });

  it.each([
    ["sda_recipe", "1"],
    ["version", 3],
    ["model", null],
    ["model", []],
    ["model.id", { toString: "x" }],
    ["model.name", "x".repeat(1001)],
    ["model.hash", "../../etc/passwd"],
    ["options", "x"],
    ["options.seed", -1],
    ["options.seed", 1e300],
    ["options.seed", null],
    ["options.durationS", "1"],
    ["options.vocoder", {}],
    ["options.latent", ""],
    ["options.latent", "AAA="],
    ["options.latent", "AADAfw=="],
    ["options.latent", [1, 2]],
    ["options.spatial", "stereo"],
    ["options.spatial", { mode: "stereo", width: "a", depth: 0 }],
    ["sliders", [1, "2"]],
    ["sliders", Array(70_000).fill(0)],
    ["vocoder", 1],
    ["vocoder", { id: "a", name: "b", generation: "c", hash: "d" }],
    ["share", 2],
    ["share", "1"],
    ["blended", {}],
    ["blended", [{}]],
    ["blended", Array(17).fill({})],
    ["engine", 1],
    ["file.format", "exe"],
    ["file.format", "__proto__"],
    ["file.bitDepth", "24"],
    ["samples", "ab"],
    ["samples", 7],
  ])("with a wrong %s is refused", async (path, value) => {
    const error = await sdaError(() => parseRecipe(set(path, value), "a.wav"));
    expect(error.code).toBe("ERR_SDA_SCHEMA");
    expect(String(error.details?.["field"])).toContain(path.split(".")[0]);
  });

  it.each(["", "{", "null", "[1]", `{"a":${"[".repeat(100_000)}`])(
    "%.20s is refused",
    async (bad) => {
      expect((await sdaError(() => parseRecipe(bad, "a.wav"))).code).toBe("ERR_SDA_SCHEMA");
    },
  );

  it("that is too long is refused", async () => {
    const long = set("note", "x".repeat(300_000));
    expect((await sdaError(() => parseRecipe(long, "a.wav"))).code).toBe("ERR_SDA_LIMIT");
  });

  it("has no other options than those of generate", () => {
    const more = changed((content) => {
      Object.assign(content["options"] as object, {
        signal: 1,
        path: "/etc/passwd",
        onProgress: 2,
      });
    });
    expect(Object.keys(parseRecipe(more, "a.wav").options).sort()).toEqual(
      Object.keys(recipe.options).sort(),
    );
    const polluted = text.replace('"options":{', '"options":{"__proto__":{"signal":1},');
    expect(parseRecipe(polluted, "a.wav").options).toEqual(recipe.options);
  });
});
