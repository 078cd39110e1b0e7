import type {
  CustomSeriesOption,
  LegendComponentOption,
  LineSeriesOption,
  XAXisComponentOption,
} from "echarts";
import { FAINT, heading, TEXT, writeChart } from "./chart.js";
import { COLORS } from "./colors.js";
import type { Point } from "./throughput.js";

export interface Reference {
  name: string;
  secondsPerSecond: number;
  color: string;
}

const MANY = ({ requests }: Point) => requests > 1;
const ONE = ({ requests }: Point) => requests === 1;

/** Two panels: throughput by concurrent requests, with reference lines, and by engine threads. */
export function writeThroughputChart(
  folder: string,
  { byRequests, byThreads }: { byRequests: Point[]; byThreads: Point[] },
  references: readonly Reference[],
  subtitle: string,
): string {
  const requests = byRequests.map((point) => `${point.requests}`);
  const threads = [...new Set(byThreads.map((point) => `${point.threads}`))];
  const highest = Math.max(
    ...[...byRequests, ...byThreads].map(({ secondsPerSecond }) => secondsPerSecond.high),
    ...references.map(({ secondsPerSecond }) => secondsPerSecond),
  );
  const step = highest > 40 ? 20 : 10;
  const max = Math.ceil((highest * 1.05) / step) * step;
  const many = byThreads.find(MANY)?.requests;
  const engineThreads = byRequests[0]?.threads;
  const yAxis = (gridIndex: number) => ({
    gridIndex,
    type: "value" as const,
    max,
    name: gridIndex === 0 ? "seconds of sound per second" : "",
    nameLocation: "middle" as const,
    nameGap: 46,
    nameTextStyle: TEXT,
    axisLabel: TEXT,
    splitLine: FAINT,
  });
  return writeChart(
    folder,
    "generate-throughput.svg",
    {
      title: heading("Throughput: requests of 1 s of sound", subtitle),
      legend: [
        legend(84, ["requests of 1 s", ...references.map(ruleEntry)]),
        legend(584, [`${many} requests at once`, "one request at a time"]),
      ],
      grid: [
        { left: 84, width: 440, top: 92, bottom: 162 },
        { left: 584, right: 40, top: 92, bottom: 162 },
      ],
      xAxis: [
        categories(0, `requests at once (${engineThreads} engine threads)`, requests),
        categories(1, "engine threads", threads),
      ],
      yAxis: [yAxis(0), yAxis(1)],
      series: [
        line(0, "requests of 1 s", byRequests, COLORS.blue),
        ...references.map((reference) => rule(0, reference, requests.length)),
        line(1, `${many} requests at once`, byThreads.filter(MANY), COLORS.blue),
        line(1, "one request at a time", byThreads.filter(ONE), COLORS.orange),
        quartiles(0, byRequests, COLORS.blue),
        quartiles(1, byThreads.filter(MANY), COLORS.blue),
        quartiles(1, byThreads.filter(ONE), COLORS.orange),
      ],
    },
    { width: 1000, height: 520 },
  );
}

function categories(gridIndex: number, name: string, data: string[]): XAXisComponentOption {
  return {
    gridIndex,
    type: "category",
    name,
    nameLocation: "middle",
    nameGap: 34,
    nameTextStyle: TEXT,
    axisLabel: TEXT,
    data,
  };
}

function line(panel: number, name: string, points: Point[], color: string): LineSeriesOption {
  return {
    name,
    type: "line",
    silent: true,
    xAxisIndex: panel,
    yAxisIndex: panel,
    symbol: "circle",
    symbolSize: 8,
    color,
    data: points.map(({ secondsPerSecond }) => secondsPerSecond.median),
  };
}

function label({ name, secondsPerSecond }: Reference): string {
  return `${name}: ${secondsPerSecond.toFixed(1)}`;
}

function rule(panel: number, reference: Reference, length: number): LineSeriesOption {
  return {
    name: label(reference),
    type: "line",
    silent: true,
    xAxisIndex: panel,
    yAxisIndex: panel,
    symbol: "none",
    color: reference.color,
    lineStyle: { type: "dashed" },
    data: Array.from({ length }, () => reference.secondsPerSecond),
  };
}

/** A legend entry without a symbol: the line has none either. */
function ruleEntry(reference: Reference) {
  return { name: label(reference), itemStyle: { opacity: 0 } };
}

function legend(left: number, data: LegendComponentOption["data"] & {}): LegendComponentOption {
  return {
    orient: "vertical",
    left,
    top: 424,
    itemWidth: 36,
    selectedMode: false,
    textStyle: TEXT,
    data,
  };
}

/** Draws a vertical line between the quartiles at each point. */
function quartiles(panel: number, points: Point[], color: string): CustomSeriesOption {
  return {
    type: "custom",
    xAxisIndex: panel,
    yAxisIndex: panel,
    silent: true,
    z: 1,
    data: points.map(({ secondsPerSecond: { low, high } }, i) => [i, low, high]),
    renderItem: (_, api) => {
      const [x = 0, top = 0] = api.coord([api.value(0), api.value(2)]);
      const [, bottom = 0] = api.coord([api.value(0), api.value(1)]);
      return {
        type: "line",
        shape: { x1: x, x2: x, y1: top, y2: bottom },
        style: { stroke: color, lineWidth: 2, opacity: 0.55 },
      };
    },
  };
}
