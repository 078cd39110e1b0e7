import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { checkpointAddon } from "../../lib/native/load.js";
import { load, type Tensor } from "../../lib/torch/index.js";
import { sdaError } from "../support/errors.js";
import { int, pickle, storage, THREE_FLOATS, tensor, tuple } from "../support/pickle-builder.js";
import { fileOf, refusal, tensorLegacy } from "../support/torch-file.js";
import { descriptor, torchZip } from "../support/zip-builder.js";

const two = pickle(
  tuple(tensor({ storage: storage(3) }), tensor({ storage: storage(3, { key: "1" }) })),
);
const archive = (options = {}) => torchZip(two, { "0": THREE_FLOATS, "1": THREE_FLOATS }, options);
const flip = (content: Buffer, at: number) => {
  const damaged = Buffer.from(content);
  damaged[at] = (damaged[at] as number) ^ 0x10;
  return damaged;
};
const verify = (path: string) => checkpointAddon().verify(path);

describe("one flipped byte", () => {
  const { bytes: content, records } = archive();
  test.each(records.map(({ name, data, size }) => ({ name, data, size })))(
    "in $name",
    async ({ name, data, size }) => {
      for (const at of [data, data + size - 1]) {
        const damaged = flip(content, at);
        const error = await refusal(damaged, ["ERR_SDA_CORRUPT", "ERR_SDA_VERSION"]);
        if (!/version$|byteorder/.test(name)) {
          expect(error.details).toMatchObject({
            record: name.replace("archive/", ""),
            offset: data,
          });
          expect(error.message).toContain("CRC-32 mismatch");
        }
        const report = await verify(fileOf(damaged));
        expect(report).toMatchObject({ ok: false, records: records.length, bytes: content.length });
        expect(report.problems).toHaveLength(1);
        expect(report.problems[0]).toContain(`record '${name.replace("archive/", "")}' is damaged`);
      }
    },
  );

  test("in a weight goes unnoticed without verify", async () => {
    const at = records.find(({ name }) => name.endsWith("data/1"))?.data as number;
    const path = fileOf(flip(content, at));
    const [whole, damaged] = (await load(path, { verify: false })) as [Tensor, Tensor];
    expect([...whole.data]).toEqual([1, 2, 3]);
    expect([...damaged.data]).not.toEqual([1, 2, 3]);
    await load(path, { weights: false });
  });

  test("in data.pkl never does", async () => {
    const at = records.find(({ name }) => name.endsWith("data.pkl"))?.data as number;
    for (const options of [{ verify: false }, { weights: false }])
      await refusal(flip(content, at), "ERR_SDA_CORRUPT", options);
  });
});

test("flipped bytes in every record are all reported", async () => {
  const { bytes: content, records } = archive();
  const damaged = records.reduce((bytes, { data }) => flip(bytes, data), content);
  const { ok, problems } = await verify(fileOf(damaged));
  expect(ok).toBe(false);
  expect(problems).toHaveLength(records.length);
  for (const { name } of records)
    expect(problems.join("\n")).toContain(`'${name.replace("archive/", "")}' is damaged`);
});

test("a record of several megabytes, read in pieces by two threads", async () => {
  const count = (9 << 18) + 5;
  const weights = Buffer.alloc(count * 4);
  for (let i = 0; i < weights.length; ++i) weights[i] = (i * 7 + (i >> 8)) & 0xff;
  const code = pickle(tensor({ storage: storage(count), shape: tuple(int(count)) }));
  const { bytes: content, records } = torchZip(code, { "0": weights });
  const read = (await load(fileOf(content))) as Tensor;
  expect(Buffer.compare(Buffer.from(read.data.buffer), weights)).toBe(0);
  const { data, size } = records.find(({ name }) => name.endsWith("data/0")) ?? {
    data: 0,
    size: 0,
  };
  for (const at of [0, (1 << 20) - 1, 1 << 20, 5 << 20, size - 1]) {
    const error = await refusal(flip(content, data + at), "ERR_SDA_CORRUPT");
    expect(error.details).toMatchObject({ record: "data/0", offset: data });
  }
});

test("a large file whose pickle is refused while its records are being read", async () => {
  const weights = Buffer.alloc(16 << 20);
  const path = fileOf(torchZip(pickle(Buffer.from("cos\nsystem\n")), { "0": weights }).bytes);
  const open = () => readdirSync("/proc/self/fd").length;
  const before = existsSync("/proc/self/fd") ? open() : 0;
  for (let i = 0; i < 20; ++i)
    expect((await sdaError(() => load(path))).code).toBe("ERR_SDA_UNSAFE");
  if (before > 0) expect(open()).toBeLessThanOrEqual(before + 2);
});

test("a file whose CRCs were switched off is accepted, and its headers still checked", async () => {
  const off = {
    local: { crc: 0 },
    central: { crc: 0 },
    descriptor: descriptor(0, 0),
  };
  const { records } = archive();
  const change = Object.fromEntries(
    records.map(({ name, size }) => [
      name.replace("archive/", ""),
      { ...off, descriptor: descriptor(0, size) },
    ]),
  );
  const { bytes: content } = archive({ change });
  const [first] = (await load(fileOf(content))) as Tensor[];
  expect([...(first as Tensor).data]).toEqual([1, 2, 3]);
  expect(await verify(fileOf(content))).toMatchObject({ ok: true, problems: [] });
  // Also of some records alone, as torch.serialization.skip_data writes them.
  const { "data/0": __, ...others } = change;
  for (const some of [others, { "data/0": change["data/0"] as object }]) {
    const { bytes: mixed } = archive({ change: some });
    expect(((await load(fileOf(mixed))) as Tensor[]).length).toBe(2);
    expect(await verify(fileOf(mixed))).toMatchObject({ ok: true, problems: [] });
  }
  // A CRC that is there must be right.
  const { records: placed } = archive({ change: others });
  const wrong = Buffer.from(archive({ change: others }).bytes);
  const at = placed.find(({ name }) => name.endsWith("data/0"))?.data as number;
  wrong[at] = (wrong[at] as number) ^ 1;
  await refusal(wrong, "ERR_SDA_CORRUPT");
});

describe("verify", () => {
  test("a sound file", async () => {
    const { bytes: content, records } = archive();
    expect(await verify(fileOf(content))).toEqual({
      ok: true,
      records: records.length,
      bytes: content.length,
      problems: [],
    });
    const legacy = tensorLegacy();
    expect(await verify(fileOf(legacy))).toEqual({
      ok: true,
      records: 1,
      bytes: legacy.length,
      problems: [],
    });
  });

  test("what cannot be read at all is an answer, what is not there an error", async () => {
    for (const content of [
      Buffer.from("<html>"),
      Buffer.alloc(0),
      archive().bytes.subarray(0, 500),
    ]) {
      const report = await verify(fileOf(content));
      expect(report.ok).toBe(false);
      expect(report.problems).toHaveLength(1);
    }
    await expect(verify("/no/such/file")).rejects.toMatchObject({ code: "ERR_SDA_NOT_FOUND" });
  });

  test("damage in headers, records and the pickle's meaning together", async () => {
    const { bytes: content } = archive({
      change: { "data/0": { local: { method: 8 } } },
      content: { "data/1": "short" },
    });
    const { problems } = await verify(fileOf(content));
    expect(problems).toHaveLength(2);
    expect(problems[0]).toContain("data/0");
    expect(problems[1]).toContain("data/1");
  });

  test("a dangerous pickle is a problem", async () => {
    const { problems } = await verify(fileOf(torchZip(pickle(Buffer.from("cos\nsystem\n"))).bytes));
    expect(problems).toEqual([expect.stringContaining("os.system")]);
  });
});

describe("cancellation", () => {
  test("before, and while a file is read", async () => {
    const path = fileOf(torchZip(pickle(int(1)), { "0": Buffer.alloc(64 << 20) }).bytes);
    const reason = new Error("enough");
    await expect(load(path, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    let stopped = 0;
    for (let i = 0; i < 20; ++i) {
      const controller = new AbortController();
      const reading = load(path, { signal: controller.signal });
      if (i % 2) setTimeout(() => controller.abort(reason), i / 4);
      else controller.abort(reason);
      try {
        expect(await reading).toBe(1);
      } catch (error) {
        expect(error).toBe(reason);
        stopped += 1;
      }
    }
    expect(stopped).toBeGreaterThan(0);
  });

  test("an error wins over a signal that comes too late", async () => {
    const controller = new AbortController();
    const path = fileOf(Buffer.from("<html>"));
    const error = await sdaError(() => load(path, { signal: controller.signal }));
    controller.abort();
    expect(error.code).toBe("ERR_SDA_FORMAT");
    writeFileSync(path, archive().bytes);
    expect(await load(path, { signal: new AbortController().signal })).toHaveLength(2);
  });
});
