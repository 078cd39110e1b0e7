/** Generates the text of each marked section of doc/benchmarks.md. */
import { engineText } from "./environment.js";
import { figure, spread } from "./print.js";
import { peerName, type Ratio, type Result, type Row } from "./schema.js";
import { ENGINE, LATENCY, LATENCY_P99, LOOP_P99, MEMORY, SERVER } from "./server-figures.js";
import { BATCHES, LONG_S, MANY, soundNames } from "./sound-works.js";

export interface Section {
  name: string;
  suites: readonly string[];
  /** Whether the document may lack this section */
  optional?: boolean;
  /**
   * @param results the results of `suites`, in the same order
   * @throws Error when a result lacks a figure, for example because it was made without Python
   */
  text(...results: Result[]): string;
}

/** A line with one of our works and one of Python's. An empty `label` continues the line before. */
interface Line {
  label: string;
  ours: string;
  theirs?: string;
  /** Description of Python's work */
  what?: string;
}

const LOAD: Line[] = [
  {
    label: "open a model, mapped (`verify: false`)",
    ours: "loadModel, verify: false",
    theirs: "program load",
    what: "the program's load",
  },
  {
    label: "",
    ours: "loadModel, verify: false",
    theirs: "torch.load mmap",
    what: "`torch.load(mmap=True)` only",
  },
  {
    label: "open a model, every record verified",
    ours: "loadModel",
    theirs: "program load",
    what: "the program's load",
  },
  { label: "", ours: "loadModel", theirs: "torch.load", what: "`torch.load` only" },
  {
    label: "read the metadata",
    ours: "readMetadata",
    theirs: "metadata",
    what: "`torch.load`",
  },
  { label: "read the metadata of a 2 GB file", ours: "readMetadata, 2 GB file" },
  {
    label: "process start to the first decoded mel",
    ours: "cold start",
    theirs: "cold start",
    what: "same work",
  },
];

const TORCH: Line[] = [
  {
    label: "read a file, mapped (`verify: false`)",
    ours: "load, verify: false",
    theirs: "torch.load mmap",
    what: "`torch.load(mmap=True)`",
  },
  {
    label: "",
    ours: "load, verify: false",
    theirs: "safetensors",
    what: "safetensors' `load_file`, the same weights",
  },
  {
    label: "read a file, every record verified",
    ours: "load",
    theirs: "torch.load",
    what: "`torch.load`",
  },
  {
    label: "",
    ours: "load",
    theirs: "safetensors read",
    what: "safetensors' `load` of bytes, the same weights",
  },
  {
    label: "read a file of 20,000 small tensors",
    ours: "load many",
    theirs: "torch.load many",
    what: "`torch.load`",
  },
  { label: "list a file's globals and tensors (`inspect`)", ours: "inspect" },
];

export const SECTIONS: readonly Section[] = [
  { name: "load", suites: ["load"], text: (load) => beside(load, LOAD) },
  { name: "torch", suites: ["torch"], text: (torch) => beside(torch, TORCH) },
  { name: "generate", suites: ["generate"], text: sound },
  { name: "library", suites: ["library"], text: library },
  { name: "server", suites: ["server"], text: server },
  { name: "vocoder", suites: ["vocoder"], text: vocoder },
  { name: "summary", suites: ["load", "generate"], optional: true, text: summary },
];

/** A table of our times and Python's. */
function beside(result: Result, lines: readonly Line[]): string {
  const cells = lines.map(({ label, ours, theirs, what }) => {
    const our = label === "" ? "" : spread(row(result, ours));
    if (theirs === undefined) return [label, our, "", "", ""];
    const { ratio: times, fastest } = ratio(result, ours, theirs);
    const their = `${spread(row(result, peerName(theirs)))}, ${what}`;
    return [label, our, their, spread(times), fastest ? figure(fastest.median) : ""];
  });
  const heads = ["", "this package, ms", "Python, ms", "ratio", "ratio of fastest runs"];
  return section(result, heads, cells);
}

function sound(result: Result): string {
  const ms = (name: string) => `${figure(row(result, name).median)} ms`;
  const { long, besideMany, many, streamed, firstPiece } = soundNames();
  const compared: [label: string, name: string][] = [
    ["1 s of sound", "1 s"],
    [`${long} of sound`, long],
    ["decode one latent", "decode"],
    ["mel → waveform, 1 s", "griffin_lim"],
  ];
  const pieces = ratio(result, firstPiece, streamed).ratio;
  const atOnce = ratio(result, many, besideMany).ratio;
  const perSecond = (name: string, seconds: number) =>
    figure((seconds * 1e3) / row(result, name).median);
  const ffts = ratio(result, "engine: griffin_lim", "engine: ffts").ratio;
  const libraryFfts = ratio(result, "engine: griffin_lim", "engine: library_ffts").ratio;
  return section(
    result,
    ["", "this package", "PyTorch", "ratio"],
    [
      ...compared.map(([label, name]) => [
        label,
        ms(name),
        ms(peerName(name)),
        spread(ratio(result, name, name).ratio),
      ]),
      [
        `${MANY} concurrent requests of 1 s, seconds of sound per second`,
        `${perSecond(many, BATCHES * MANY)} (one of ${long}: ${perSecond(besideMany, LONG_S)})`,
        "",
        `${spread(atOnce)} to one long request`,
      ],
      [
        `first piece of a ${long} stream`,
        `${ms(firstPiece)}; the whole stream takes ${figure(pieces.median)} times as long`,
        "",
        "",
      ],
      [
        "Griffin-Lim on one thread",
        [
          `${ms("engine: griffin_lim")}:`,
          `${figure(ffts.median)} times its own FFTs alone,`,
          `${figure(libraryFfts.median)} times LibTorch's FFTs`,
        ].join(" "),
        "",
        "",
      ],
      [
        "memory of a 60 s request, without its result",
        `${figure(row(result, "memory of 60 s beyond its result").median)} MB`,
        "",
        "",
      ],
      [
        `interval of a 1 ms timer during ${MANY} requests of 4 s, 99th percentile`,
        ms(`event loop, ${MANY} × 4 s: p99`),
        "",
        "",
      ],
    ],
  );
}

function vocoder(result: Result): string {
  const ms = (name: string) => `${figure(row(result, name).median)} ms`;
  const [second, alone] = ["engine: 1 s", "engine: multiply-adds of 1 s"];
  const beside = ["1 s", `${LONG_S} s`].map((name) => [
    `${name} of sound`,
    ms(name),
    ms(peerName(name)),
    spread(ratio(result, name, name).ratio),
  ]);
  const { ratio: median, fastest } = ratio(result, second, alone);
  const best = fastest ? `; ${spread(fastest)} in each round's fastest run` : "";
  const than = `${ms(second)}: ${figure(median.median)} times its multiply-adds alone${best}`;
  return section(
    result,
    ["", "this package", "PyTorch", "ratio"],
    [...beside, ["1 s on one thread", than, "", ""]],
  );
}

function server(result: Result): string {
  const of = (name: string) => spread(row(result, name));
  const { low, high } = row(result, MEMORY);
  return section(
    result,
    ["", "the server, 32 connections"],
    [
      ["seconds of sound per second", of(SERVER)],
      ["the engine alone, 32 concurrent calls", of(ENGINE)],
      ["server relative to engine", spread(ratio(result, SERVER, ENGINE).ratio)],
      ["latency of a request, median, ms", of(LATENCY)],
      ["latency of a request, 99th percentile, ms", of(LATENCY_P99)],
      ["delay of the event loop, 99th percentile, ms", of(LOOP_P99)],
      ["memory, every half minute, MB", `${figure(low)} to ${figure(high)}`],
    ],
  );
}

function library(result: Result): string {
  const counts = result.rows
    .map(({ name }) => Number(/^open, (\d+) entries$/.exec(name)?.[1]))
    .filter((count) => count > 0)
    .sort((a, b) => a - b);
  const cells = counts.map((count) => {
    const at = `, ${count} entries`;
    const ms = (name: string) => `${figure(row(result, `${name}${at}`).median)} ms`;
    const pair = (ours: string, theirs: string) =>
      `${ms(ours)} (${figure(ratio(result, `${ours}${at}`, `${theirs}${at}`).ratio.median)} ×)`;
    return [
      count.toLocaleString("en"),
      pair("open", "open"),
      pair("search", "search"),
      ms("first search"),
      pair("one durable add", "add"),
      ms("1000 adds together"),
      ms("sda model list, whole process"),
    ];
  });
  const repair = result.rows.find(({ name }) => name.startsWith("repair, per new file"));
  if (repair === undefined) throw new Error("library.json lacks repair");
  const heads = [
    "entries",
    "open (× Python)",
    "search (× Python)",
    "first search",
    "one durable add (× Python)",
    "1,000 adds together",
    "`sda model list`, whole process",
  ];
  const table = section(result, heads, cells);
  return `${table}\nR${repair.name.slice(1)}: ${figure(repair.median)} ms.\n`;
}

/** A summary in words, with two digits per figure. */
function summary(load: Result, generate: Result): string {
  const ms = (result: Result, name: string) =>
    `${Number(row(result, name).median.toPrecision(2))} ms`;
  const size = `${figure((load.model?.bytes ?? 0) / 1e6)} MB`;
  const { processors } = generate.environment;
  return wrapped(
    [
      `A model of ${size} opens in ${ms(load, "loadModel, verify: false")} mapped,`,
      `and in ${ms(load, "loadModel")} with every checksum verified;`,
      `the Python program takes ${ms(load, peerName("program load"))}.`,
      `Its metadata takes ${ms(load, "readMetadata")}, independent of the file's size.`,
      `A second of sound takes ${ms(generate, "1 s")} on ${processors} cores,`,
      `and ${ms(generate, peerName("1 s"))} in PyTorch.`,
      `A stream of a minute starts after ${ms(generate, soundNames().firstPiece)}.`,
    ].join(" "),
  );
}

function row({ suite, rows }: Result, name: string): Row {
  const found = rows.find((each) => each.name === name);
  if (found === undefined) throw new Error(`${suite}.json lacks "${name}"`);
  return found;
}

/** @param theirs Python's work, or another one of ours */
function ratio({ suite, ratios }: Result, ours: string, theirs: string): Ratio {
  const beside = ({ ours: our, theirs: their }: Ratio) =>
    our === ours && [theirs, peerName(theirs)].includes(their);
  const found = ratios.find(beside);
  if (found === undefined)
    throw new Error(`${suite}.json lacks the ratio of "${ours}" to "${theirs}"`);
  return found;
}

function section(result: Result, heads: readonly string[], cells: readonly string[][]): string {
  const line = (each: readonly string[]) =>
    `|${each.map((cell) => (cell === "" ? " |" : ` ${cell} |`)).join("")}`;
  const table = [heads, heads.map(() => "---"), ...cells].map(line).join("\n");
  return `${wrapped(conditions(result))}\n\n${table}\n`;
}

/** Date, machine, versions, model, and number of runs. */
function conditions({ environment, model, peers, rows }: Result): string {
  const { cpu, processors, memory, platform, node, engine, date } = environment;
  const { python, ...packages } = peers;
  const beside = Object.entries(packages).map(([name, version]) => `${name} ${version}`);
  const runs = rows.filter(({ unit }) => unit === "ms").map(({ samples }) => samples);
  const [fewest, most] = [Math.min(...runs), Math.max(...runs)];
  const gib = (memory / 2 ** 30).toFixed(0);
  return [
    `${date.slice(0, 10)}: ${processors} × ${cpu}, ${gib} GiB of memory, ${platform}`,
    `, Node ${node.replace(/^v/, "")}`,
    engine ? `, ${engineText(engine)}` : "",
    python ? `; Python ${python}${beside.length > 0 ? ` with ${beside.join(", ")}` : ""}` : "",
    model ? `; ${model.file}, ${figure(model.bytes / 1e6)} MB, in the page cache` : "",
    `. Medians of ${fewest === most ? most : `${fewest} to ${most}`} runs, quartiles in brackets.`,
  ].join("");
}

const WIDTH = 100;

function wrapped(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= WIDTH)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.join("\n");
}
