/** The text of each of README's marked sections. */
import { figure, spread } from "./print.js";
import { peerName, type Ratio, type Result, type Row } from "./schema.js";
import { ENGINE, LATENCY, LATENCY_P99, LOOP_P99, MEMORY, SERVER } from "./server-figures.js";
import { BATCHES, LONG_S, MANY, soundNames } from "./sound-works.js";

export interface Section {
  name: string;
  suites: readonly string[];
  /** README may do without it */
  optional?: boolean;
  /**
   * @param results of the suites, in their order
   * @throws Error when one lacks a figure of the section, as without Python
   */
  text(...results: Result[]): string;
}

/** One of ours beside one of Python's; without `ours`, beneath the line before. */
interface Line {
  label: string;
  ours: string;
  theirs?: string;
  /** What theirs is */
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
    what: "`torch.load(mmap=True)` alone",
  },
  {
    label: "open a model, every record checked",
    ours: "loadModel",
    theirs: "program load",
    what: "the program's load",
  },
  { label: "", ours: "loadModel", theirs: "torch.load", what: "`torch.load` alone" },
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
    what: "the same",
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
    label: "read a file, every record checked",
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
  { label: "what it refers to and holds (`inspect`)", ours: "inspect" },
];

export const SECTIONS: readonly Section[] = [
  { name: "load", suites: ["load"], text: (load) => beside(load, LOAD) },
  { name: "torch", suites: ["torch"], text: (torch) => beside(torch, TORCH) },
  { name: "generate", suites: ["generate"], text: sound },
  { name: "library", suites: ["library"], text: library },
  { name: "server", suites: ["server"], text: server },
  { name: "summary", suites: ["load", "generate"], optional: true, text: summary },
];

/** Times beside Python's. */
function beside(result: Result, lines: readonly Line[]): string {
  const cells = lines.map(({ label, ours, theirs, what }) => {
    const our = label === "" ? "" : spread(row(result, ours));
    if (theirs === undefined) return [label, our, "", "", ""];
    const { ratio: times, fastest } = ratio(result, ours, theirs);
    const their = `${spread(row(result, peerName(theirs)))}, ${what}`;
    return [label, our, their, spread(times), fastest ? figure(fastest.median) : ""];
  });
  return section(result, ["", "this package, ms", "Python, ms", "ratio", "fastest runs"], cells);
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
        `${MANY} requests of 1 s at once, seconds of sound per second`,
        `${perSecond(many, BATCHES * MANY)} (one of ${long}: ${perSecond(besideMany, LONG_S)})`,
        "",
        `${spread(atOnce)} of the latter`,
      ],
      [
        `${long} as a stream: its first piece`,
        `${ms(firstPiece)}, the whole takes ${figure(pieces.median)} times as long`,
        "",
        "",
      ],
      [
        "Griffin-Lim on one thread",
        `${ms("engine: griffin_lim")}: ${figure(ffts.median)} times its real FFTs alone, ${figure(libraryFfts.median)} times LibTorch's`,
        "",
        "",
      ],
      [
        "memory of a 60 s request beyond its result",
        `${figure(row(result, "memory of 60 s beyond its result").median)} MB`,
        "",
        "",
      ],
      [
        `event loop under ${MANY} requests of 4 s: a 1 ms timer's 99th percentile`,
        ms(`event loop, ${MANY} × 4 s: p99`),
        "",
        "",
      ],
    ],
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
      ["the engine alone, as many calls at once", of(ENGINE)],
      ["the former's share of the latter", spread(ratio(result, SERVER, ENGINE).ratio)],
      ["a request, ms: median", of(LATENCY)],
      ["a request, ms: 99th percentile", of(LATENCY_P99)],
      ["event loop's delay, ms: 99th percentile", of(LOOP_P99)],
      ["memory from one half minute to another, MB", `${figure(low)} to ${figure(high)}`],
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
    "`sda model list`, from start to end",
  ];
  const table = section(result, heads, cells);
  return `${table}\nR${repair.name.slice(1)}: ${figure(repair.median)} ms.\n`;
}

/** For the first screen: two digits are enough. */
function summary(load: Result, generate: Result): string {
  const ms = (result: Result, name: string) =>
    `${Number(row(result, name).median.toPrecision(2))} ms`;
  const { model } = load;
  const { processors } = generate.environment;
  return wrapped(
    [
      `A model of ${figure((model?.bytes ?? 0) / 1e6)} MB opens in ${ms(load, "loadModel, verify: false")} mapped,`,
      `and in ${ms(load, "loadModel")} with every checksum verified, where the Python program takes`,
      `${ms(load, peerName("program load"))}; its metadata in ${ms(load, "readMetadata")}, whatever the file's size.`,
      `A second of sound takes ${ms(generate, "1 s")} on ${processors} cores, PyTorch ${ms(generate, peerName("1 s"))};`,
      `a stream of a minute begins after ${ms(generate, soundNames().firstPiece)}.`,
    ].join(" "),
  );
}

function row({ suite, rows }: Result, name: string): Row {
  const found = rows.find((each) => each.name === name);
  if (found === undefined) throw new Error(`${suite}.json lacks "${name}"`);
  return found;
}

/** @param theirs Python's work, or else another one of ours */
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

/** On what, when, and of how many runs. */
function conditions({ environment, model, peers, rows }: Result): string {
  const { cpu, processors, memory, platform, node, engine, date } = environment;
  const { python, ...packages } = peers;
  const beside = Object.entries(packages).map(([name, version]) => `${name} ${version}`);
  const runs = rows.filter(({ unit }) => unit === "ms").map(({ samples }) => samples);
  const [fewest, most] = [Math.min(...runs), Math.max(...runs)];
  return [
    `${date.slice(0, 10)}: ${processors} × ${cpu}, ${(memory / 2 ** 30).toFixed(0)} GiB of memory, ${platform}, Node ${node.replace(/^v/, "")}`,
    engine ? `, LibTorch ${engine.libtorch} on ${engine.threads} threads` : "",
    python ? `; Python ${python}${beside.length > 0 ? ` with ${beside.join(", ")}` : ""}` : "",
    model ? `; ${model.file}, ${figure(model.bytes / 1e6)} MB, in the page cache` : "",
    `. Medians of ${fewest === most ? most : `${fewest} to ${most}`} runs, quartiles in brackets.`,
  ].join("");
}

const WIDTH = 130;

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
