/**
 * The server under load, beside the engine that it is made around: 32 connections that ask for a second of sound each, of 20
 * models in turn, for five minutes in all; between the minutes the same requests by calls, in a process of their own. The
 * client is on the same machine and takes its part of the processors.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import autocannon from "autocannon";
import { loadModel, ModelLibrary, saveModel } from "../dist/index.js";
import { Child } from "./support/child.js";
import type { Goal } from "./support/goals.js";
import { judged } from "./support/goals.js";
import type { Measured, Row, Unit } from "./support/schema.js";
import { type Summary, summarize } from "./support/statistics.js";
import type { Context, Suite } from "./support/suite.js";
import { temporaryFolder } from "./support/temporary.js";

const CONNECTIONS = 32;
const MODELS = 20;
const FULL = { rounds: 5, serverS: 60, engineS: 20, warmUpS: 10 };
const QUICK = { rounds: 1, serverS: 3, engineS: 2, warmUpS: 1 };

const SERVER = `server, ${CONNECTIONS} connections`;
const ENGINE = `engine alone, ${CONNECTIONS} at once`;

interface Minute {
  secondsPerSecond: number;
  /** Milliseconds */
  latency: { p50: number; p99: number; max: number };
  loopP99: number;
  memoryMB: number;
}

async function run({ file, quick, notes, say }: Context): Promise<Measured> {
  const counts = quick ? QUICK : FULL;
  const folder = join(temporaryFolder(), "models");
  mkdirSync(folder);
  const ids = await fill(folder, file);
  const server = new Child("serve-child.mjs", [folder]);
  const engine = new Child("engine-child.mjs", [folder, String(CONNECTIONS)]);
  const minutes: Minute[] = [];
  const alone: number[] = [];
  try {
    const { url } = (await server.ask({})) as { url: string };
    say("warming up");
    await load(url, ids, counts.warmUpS);
    await engine.ask({ seconds: counts.warmUpS });
    for (let round = 0; round < counts.rounds; round++) {
      say(`round ${round + 1} of ${counts.rounds}`);
      const { secondsPerSecond } = (await engine.ask({ seconds: counts.engineS })) as {
        secondsPerSecond: number;
      };
      alone.push(secondsPerSecond);
      minutes.push(await load(url, ids, counts.serverS));
    }
  } finally {
    await Promise.all([server.close(), engine.close()]);
  }
  return { ...figures(minutes, alone), notes, peers: {}, details: { minutes, alone } };
}

/** The same weights under 20 ids: as many models as far as anything here can tell. */
async function fill(folder: string, file: string): Promise<string[]> {
  const model = await loadModel(file, { device: "cpu" });
  for (let i = 0; i < MODELS; i++) {
    await saveModel(model, { modelsDir: folder, metadata: { modelId: "", name: `model ${i}` } });
  }
  await model.disposeAsync();
  const library = await ModelLibrary.open(folder);
  return library.listAll().map(({ modelId }) => modelId);
}

/** @throws Error when any request fails: a server that refuses is quicker than one that works */
async function load(url: string, ids: readonly string[], seconds: number): Promise<Minute> {
  let next = 0;
  await figuresOf(url); // its event loop's delays are counted from now on
  const result = await autocannon({
    url,
    connections: CONNECTIONS,
    duration: seconds,
    timeout: 60,
    requests: [
      {
        method: "POST",
        headers: { "content-type": "application/json" },
        setupRequest(request) {
          const seed = next++;
          const path = `/api/models/${ids[seed % ids.length]}/generate`;
          return { ...request, path, body: JSON.stringify({ durationS: 1, seed }) };
        },
      },
    ],
  });
  const answered = result["2xx"];
  if (result.errors + result.timeouts + result.non2xx > 0 || answered === 0) {
    const { errors, timeouts, non2xx } = result;
    throw new Error(
      `the server answered ${answered}: ${JSON.stringify({ errors, timeouts, non2xx })}`,
    );
  }
  const measured = await figuresOf(url);
  return {
    secondsPerSecond: answered / result.duration,
    latency: { p50: result.latency.p50, p99: result.latency.p99, max: result.latency.max },
    loopP99: measured("sda_event_loop_delay_p99_seconds") * 1e3,
    memoryMB: measured("process_resident_memory_bytes") / 1e6,
  };
}

async function figuresOf(url: string): Promise<(name: string) => number> {
  const text = await (await fetch(new URL("/metrics", url))).text();
  return (name) => {
    const value = Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
    if (!Number.isFinite(value)) throw new Error(`/metrics has no ${name}`);
    return value;
  };
}

function figures(minutes: readonly Minute[], alone: readonly number[]) {
  const row = (name: string, unit: Unit, values: number[], goal?: Goal): Row => {
    const summary = summarize(values);
    return { name, unit, ...summary, ...judged(summary, goal) };
  };
  const of = (value: (minute: Minute) => number) => minutes.map(value);
  const share: Summary = summarize(
    minutes.map(({ secondsPerSecond }, i) => secondsPerSecond / (alone[i] as number)),
  );
  const [first] = of(({ memoryMB }) => memoryMB);
  const growth = summarize(of(({ memoryMB }) => memoryMB / (first as number)).slice(-1));
  return {
    rows: [
      row(ENGINE, "s/s", [...alone]),
      row(
        SERVER,
        "s/s",
        of((m) => m.secondsPerSecond),
      ),
      row(
        "latency: median",
        "ms",
        of((m) => m.latency.p50),
      ),
      row(
        "latency: p99",
        "ms",
        of((m) => m.latency.p99),
      ),
      row(
        "latency: longest",
        "ms",
        of((m) => m.latency.max),
      ),
      row(
        "server's event loop: p99",
        "ms",
        of((m) => m.loopP99),
      ),
      row(
        "server's memory",
        "MB",
        of((m) => m.memoryMB),
      ),
    ],
    ratios: [
      {
        what: `throughput of the server's ${CONNECTIONS} connections, than that of the engine alone`,
        ours: SERVER,
        theirs: ENGINE,
        ratio: share,
        ...judged(share, { atLeast: 0.85 }),
      },
      {
        what: "the server's memory after the last minute, than after the first",
        ours: "server's memory",
        theirs: "server's memory",
        ratio: growth,
        ...judged(growth, { atMost: 1.1 }),
      },
    ],
  };
}

export const suite: Suite = { title: "The server under load", usesModel: true, run };
