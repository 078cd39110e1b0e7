import { decode } from "fast-png";
import { describe, expect, it } from "vitest";
import { waveformPicture } from "../../lib/audio/waveform-picture.js";
import { sdaError } from "../support/errors.js";

/** The opacity of one column, from top to bottom. */
function column(samples: number[], x = 0, size = { width: samples.length, height: 10 }): number[] {
  const png = decode(waveformPicture({ audio: [Float32Array.from(samples)] }, size));
  return Array.from(
    { length: png.height },
    (_, y) => png.data[(y * png.width + x) * 4 + 3] as number,
  );
}

describe("the picture of a waveform", () => {
  it("has the size and the colours of the program's thumbnails", () => {
    const { width, height, channels, data } = decode(
      waveformPicture({ audio: [Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i))] }),
    );
    expect([width, height, channels]).toEqual([310, 46, 4]);
    const colors = new Set<string>();
    for (let at = 0; at < data.length; at += 4) {
      colors.add(`${data.slice(at, at + 3)}${data[at + 3] === 0 ? " clear" : ""}`);
    }
    expect([...colors].sort()).toEqual(["255,255,255 clear", "74,144,217"]);
  });

  it("shows the range of a column's samples, from -1 to 1", () => {
    expect(column([1])).toEqual([179, 179, 179, 179, 179, 179, 0, 0, 0, 0]);
    expect(column([-0.5])).toEqual([0, 0, 0, 0, 179, 179, 179, 90, 0, 0]);
    expect(column([9, -9, 0, 0], 0, { width: 2, height: 10 })).toEqual(Array(10).fill(179));
  });

  it("shows silence, and no sound at all, as a line", () => {
    const line = [0, 0, 0, 0, 179, 179, 0, 0, 0, 0];
    expect(column([0, 0], 1)).toEqual(line);
    expect(column([], 2, { width: 3, height: 10 })).toEqual(line);
    expect(column([0.5], 2, { width: 3, height: 10 })).toEqual([
      0, 0, 90, 179, 179, 179, 0, 0, 0, 0,
    ]);
  });

  it("refuses wrong sizes and a sound without channels", async () => {
    const audio = [new Float32Array(1)];
    for (const act of [
      () => waveformPicture({ audio: [] }),
      () => waveformPicture({ audio }, { width: 0 }),
      () => waveformPicture({ audio }, { height: 5000 }),
    ]) {
      expect((await sdaError(act)).code).toBe("ERR_SDA_ARGUMENT");
    }
  });
});
