/** A tensor of more than 4 GiB in a sparse file. No buffer of Node 20 is large enough for it. */
import { constants } from "node:buffer";
import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import { load, type Tensor } from "../../lib/torch/index.js";
import { sdaError } from "../support/errors.js";
import { temporaryFolder } from "../support/folder.js";
import { int, pickle, storage, str, tensor, tuple } from "../support/pickle-builder.js";
import { struct } from "../support/zip-builder.js";

const COUNT = 2 ** 30 + 1024;
const DATA_AT = 4096;

/** A local or central header, with sizes and offset in a zip64 extra field. */
function header(name: Buffer, crc: number, size: number, offset: number, central: boolean): Buffer {
  const wide = struct([size, 8], [size, 8]);
  const values = central ? Buffer.concat([wide, struct([offset, 8])]) : wide;
  const extra = Buffer.concat([struct([1, 2], [values.length, 2]), values]);
  const common = struct(
    [45, 2],
    [0, 2],
    [0, 2],
    [0, 4],
    [crc, 4],
    [2 ** 32 - 1, 4],
    [2 ** 32 - 1, 4],
    [name.length, 2],
    [extra.length, 2],
  );
  const head = central
    ? Buffer.concat([
        struct([0x02014b50, 4], [45, 2]),
        common,
        struct([0, 2], [0, 2], [0, 2], [0, 4], [2 ** 32 - 1, 4]),
      ])
    : Buffer.concat([struct([0x04034b50, 4]), common]);
  return Buffer.concat([head, name, extra]);
}

function writeLargeTensor(path: string): void {
  const large = storage(COUNT);
  const code = pickle(
    tuple(
      tensor({ storage: large, shape: tuple(int(COUNT)) }),
      tensor({ storage: large, offset: int(COUNT - 3), shape: tuple(int(3)) }),
      str("before"),
    ),
  );
  const size = COUNT * 4;
  const names = [Buffer.from("large/data.pkl"), Buffer.from("large/data/0")] as const;
  const crc = crc32(code);
  const dataHeader = header(names[1], 1, size, 0, false);
  const dataHeaderAt = DATA_AT - dataHeader.length;
  const directory = Buffer.concat([
    header(names[0], crc, code.length, 0, true),
    header(names[1], 1, size, dataHeaderAt, true),
  ]);
  const directoryAt = DATA_AT + size;
  const end = Buffer.concat([
    struct([0x06064b50, 4], [44, 8], [45, 2], [45, 2], [0, 4], [0, 4], [2, 8], [2, 8]),
    struct([directory.length, 8], [directoryAt, 8]),
    struct([0x07064b50, 4], [0, 4], [directoryAt + directory.length, 8], [1, 4]),
    struct([0x06054b50, 4], [0, 2], [0, 2], [2, 2], [2, 2], [directory.length, 4]),
    struct([2 ** 32 - 1, 4], [0, 2]),
  ]);
  const file = openSync(path, "w");
  const first = Buffer.concat([header(names[0], crc, code.length, 0, false), code]);
  writeSync(file, first, 0, first.length, 0);
  writeSync(file, dataHeader, 0, dataHeader.length, dataHeaderAt);
  const tail = Buffer.concat([directory, end]);
  writeSync(file, tail, 0, tail.length, directoryAt);
  closeSync(file);
}

test("of a tensor larger than any buffer, only reading the elements is an error", async () => {
  const path = join(temporaryFolder(), "large.pt");
  writeLargeTensor(path);
  for (let i = 0; i < 5; i++) {
    const [large, small, before] = (await load(path, { verify: false })) as Tensor[];
    expect([large?.dtype, large?.shape]).toEqual(["float32", [COUNT]]);
    // Others on the same storage are as any tensor.
    expect(small?.data).toEqual(new Float32Array(3));
    expect(before).toBe("before");
    if (COUNT * 4 > constants.MAX_LENGTH) {
      const error = await sdaError(async () => (large as Tensor).data);
      expect(error).toMatchObject({ code: "ERR_SDA_LIMIT", details: { bytes: COUNT * 4 } });
    } else {
      expect(large?.data.length).toBe(COUNT);
      expect(large?.data[COUNT - 1]).toBe(0);
    }
  }
  globalThis.gc?.();
});
