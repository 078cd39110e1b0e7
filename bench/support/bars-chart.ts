import type { CustomSeriesOption } from "echarts";
import { FAINT, heading, TEXT, writeChart } from "./chart.js";
import { COLORS } from "./colors.js";
import { figure } from "./print.js";
import { isPeer, type Ratio, type Result, type Row } from "./schema.js";

const BAR = 30;

/** A bar chart with a logarithmic axis: each of our times above its peers'; whiskers: quartiles. */
export function writeBarsChart(
  folder: string,
  { suite, rows, ratios }: Result,
  title: string,
  subtitle: string,
): string | null {
  const drawn = inOrder(rows, ratios);
  if (drawn.length === 0) return null;
  const lowest = Math.min(...drawn.map(({ low }) => low));
  const highest = Math.max(...drawn.map(({ high }) => high));
  return writeChart(
    folder,
    `${suite}.svg`,
    {
      title: heading(title, subtitle),
      grid: { left: 300, right: 130, top: 84, bottom: 64 },
      xAxis: {
        type: "log",
        startValue: 10 ** Math.floor(Math.log10(lowest)), // the default is 1
        min: 10 ** Math.floor(Math.log10(lowest)),
        max: 10 ** Math.ceil(Math.log10(highest)),
        name: "milliseconds, logarithmic",
        nameLocation: "middle",
        nameGap: 36,
        nameTextStyle: TEXT,
        axisLabel: TEXT,
        splitLine: FAINT,
      },
      yAxis: {
        type: "category",
        inverse: true,
        data: drawn.map(({ name }) => name),
        axisLabel: TEXT,
        axisTick: { show: false },
      },
      series: [
        {
          type: "bar",
          silent: true,
          barWidth: "62%",
          data: drawn.map(({ name, median }) => ({
            value: median,
            itemStyle: { color: isPeer(name) ? COLORS.orange : COLORS.blue },
          })),
        },
        whiskers(drawn),
      ],
    },
    { width: 1000, height: 148 + BAR * drawn.length },
  );
}

/** A peer that is compared with several of our works is drawn once, below the first. */
function inOrder(rows: readonly Row[], ratios: readonly Ratio[]): Row[] {
  const times = new Map(rows.filter(({ unit }) => unit === "ms").map((row) => [row.name, row]));
  const order = new Set<Row>();
  for (const row of times.values()) {
    if (isPeer(row.name)) continue;
    order.add(row);
    for (const { ours, theirs } of ratios) {
      const peer = times.get(theirs);
      if (ours === row.name && isPeer(theirs) && peer) order.add(peer);
    }
  }
  return [...order];
}

/** Draws the whisker between the quartiles and the figure to its right. */
function whiskers(rows: readonly Row[]): CustomSeriesOption {
  return {
    type: "custom",
    silent: true,
    z: 3,
    data: rows.map(({ low, high, median }, i) => [high, i, low, median]),
    renderItem: (_, api) => {
      const [right = 0, y = 0] = api.coord([api.value(0), api.value(1)]);
      const [left = 0] = api.coord([api.value(2), api.value(1)]);
      return {
        type: "group",
        children: [
          {
            type: "line",
            shape: { x1: left, y1: y, x2: right, y2: y },
            style: { stroke: "#222222", lineWidth: 2 },
          },
          {
            type: "text",
            style: {
              text: `${figure(Number(api.value(3)))} ms`,
              x: right + 8,
              y,
              verticalAlign: "middle",
              fontSize: TEXT.fontSize,
              fill: TEXT.color,
            },
          },
        ],
      };
    },
  };
}
