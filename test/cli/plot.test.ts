import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { decode } from "fast-png";
import { describe, expect, it } from "vitest";
import { writePlot } from "../../lib/cli/plot.js";
import type { GenerationResult } from "../../lib/index.js";
import { loadModel } from "../../lib/index.js";
import { temporaryFolder } from "../support/folder.js";
import { engineBuilt } from "../support/native.js";

const demo = fileURLToPath(new URL("../../assets/models/synthetic-plucks.sda", import.meta.url));

/** A sine in each channel. */
function sine(hz: number, sampleRate: number, seconds: number, channels = 1): GenerationResult {
  const length = Math.round(sampleRate * seconds);
  const wave = Float32Array.from({ length }, (_, i) =>
    Math.sin((2 * Math.PI * hz * i) / sampleRate),
  );
  return {
    audio: Array.from({ length: channels }, () => wave),
    sampleRate,
    channels,
    durationS: seconds,
    seed: 7,
  } as GenerationResult;
}

async function plotted(sound: GenerationResult) {
  await using model = await loadModel(demo, { device: "cpu" });
  const path = join(temporaryFolder(), "plot.svg");
  await writePlot(path, sound, model);
  const svg = readFileSync(path, "utf8");
  const png = /base64,([^"]+)"/.exec(svg)?.[1] ?? "";
  return { svg, image: decode(Buffer.from(png, "base64")) };
}

/** The distance of the brightest row from the top of the picture, 0 to 1. */
function brightest({ width, height, data }: ReturnType<typeof decode>): number {
  const brightness = Array.from({ length: height }, (_, row) => {
    let sum = 0;
    for (let i = 0; i < 3 * width; i++) sum += data[row * width * 3 + i] as number;
    return sum;
  });
  return (brightness.indexOf(Math.max(...brightness)) + 0.5) / height;
}

/** The position of this label on the axis, in pixels. */
function labelled(svg: string, label: string): number {
  const y = Number(new RegExp(`y="([\\d.]+)" text-anchor="end">${label}<`).exec(svg)?.[1]) - 4;
  const [top = 0, height = 1] = (
    /<image x="\d+" y="(\d+)" width="\d+" height="(\d+)"/.exec(svg) ?? []
  )
    .slice(1)
    .map(Number);
  return (y - top) / height;
}

describe.skipIf(!engineBuilt)("the picture of a sound", () => {
  it.each([
    [48000, 1000, "1 kHz"],
    [48000, 4000, "4 kHz"],
    [44100, 4000, "4 kHz"],
    [96000, 4000, "4 kHz"],
  ])("at %i Hz has a tone of %i Hz where its axis says %s", async (rate, hz, label) => {
    const { svg, image } = await plotted(sine(hz, rate, 0.5));
    expect(Math.abs(brightest(image) - labelled(svg, label))).toBeLessThan(1.5 / image.height);
  });

  it("has a waveform for each channel, and its seconds below", async () => {
    const one = await plotted(sine(440, 48000, 1.5));
    const two = await plotted(sine(440, 48000, 1.5, 2));
    const waveforms = (svg: string) => svg.match(/<polygon/g)?.length;
    expect([waveforms(one.svg), waveforms(two.svg)]).toEqual([1, 2]);
    expect(one.svg).toContain(">1.4 s</text>");
    expect(one.svg).toContain("seed 7");
    // From -1 to 1: the full distance between the ends of the axis
    const ys = [...(/points="([^"]+)"/.exec(one.svg)?.[1] ?? "").matchAll(/,([\d.]+)/g)].map((m) =>
      Number(m[1]),
    );
    expect(Math.max(...ys) - Math.min(...ys)).toBeCloseTo(150, 0);
  });

  it("of silence is dark, and of a very short sound still a picture", async () => {
    const silent = await plotted({ ...sine(0, 48000, 0.2) });
    expect(Math.max(...silent.image.data)).toBeLessThan(10);
    expect((await plotted(sine(440, 48000, 0.002))).image.height).toBeGreaterThan(1);
  });
});
