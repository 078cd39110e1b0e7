import { FAINT, heading, TEXT, writeChart } from "./chart.js";
import { COLORS } from "./colors.js";
import type { EngineSteps } from "./engine-steps.js";

/** A bar for each step; Griffin-Lim's bar shows its FFTs separately. */
export function writeTimeChart(folder: string, steps: EngineSteps, subtitle: string): string {
  const rows: [name: string, ms: number][] = [
    ["decoder network", steps.decode.median],
    ["random phases", steps.draw.median],
    ["inverse mel scale", steps.inverse_mel.median],
    ["Griffin-Lim", steps.griffin_lim.median],
    ["finishing", steps.finishing.median],
  ];
  const sum = rows.reduce((total, [, ms]) => total + ms, 0);
  const label = (ms: number) => `${ms.toFixed(2)} ms (${((100 * ms) / sum).toFixed(1)} %)`;
  const ffts = steps.ffts.median;
  const fftsInside = Math.min(ffts, steps.griffin_lim.median);
  return writeChart(
    folder,
    "generate-time.svg",
    {
      title: heading(
        `Where the time of 1 s of sound goes: ${sum.toFixed(1)} ms on one thread`,
        subtitle,
      ),
      grid: { left: 170, right: 150, top: 84, bottom: 64 },
      xAxis: {
        type: "value",
        name: "milliseconds",
        nameLocation: "middle",
        nameGap: 36,
        nameTextStyle: TEXT,
        axisLabel: TEXT,
        splitLine: FAINT,
      },
      yAxis: {
        type: "category",
        inverse: true,
        data: rows.map(([name]) => name),
        axisLabel: TEXT,
        axisTick: { show: false },
      },
      series: [
        {
          name: "FFTs",
          type: "bar",
          silent: true,
          stack: "ms",
          barWidth: "58%",
          color: COLORS.orange,
          data: rows.map(([name]) => (name === "Griffin-Lim" ? fftsInside : null)),
          label: {
            ...TEXT,
            show: true,
            position: "inside",
            color: "#ffffff",
            formatter: `its FFTs alone: ${ffts.toFixed(2)} ms`,
          },
        },
        {
          name: "all else",
          type: "bar",
          silent: true,
          stack: "ms",
          color: COLORS.blue,
          data: rows.map(([name, ms]) => (name === "Griffin-Lim" ? ms - fftsInside : ms)),
          label: {
            ...TEXT,
            show: true,
            position: "right",
            formatter: ({ dataIndex }) => label(rows[dataIndex]?.[1] ?? 0),
          },
        },
      ],
    },
    { width: 860, height: 380 },
  );
}
