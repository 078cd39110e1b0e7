import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type EChartsOption, init, type TitleComponentOption } from "echarts";
import { COLORS } from "./colors.js";

export const TEXT = { fontSize: 14, color: "#222222" };
export const FAINT = { lineStyle: { color: "#dddddd" } };

const BASE: EChartsOption = {
  animation: false,
  backgroundColor: "#ffffff",
  textStyle: { ...TEXT, fontFamily: "'DejaVu Sans', Verdana, Arial, sans-serif" },
};

/** Writes a chart as an SVG file and returns its path. */
export function writeChart(
  folder: string,
  name: string,
  option: EChartsOption,
  size: { width: number; height: number },
): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, ...size });
  chart.setOption({ ...BASE, ...option });
  mkdirSync(folder, { recursive: true });
  const file = join(folder, name);
  writeFileSync(file, `${chart.renderToSVGString()}\n`);
  chart.dispose();
  return file;
}

export function heading(text: string, subtext: string): TitleComponentOption {
  return {
    text,
    subtext,
    left: 24,
    top: 16,
    textStyle: { fontSize: 20, color: TEXT.color },
    subtextStyle: { fontSize: 14, color: COLORS.grey },
  };
}
