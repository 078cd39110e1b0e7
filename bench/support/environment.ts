import { arch, cpus, platform, totalmem } from "node:os";

/** The machine and versions that figures depend on. Every file of results holds them. */
export interface Environment {
  cpu: string;
  processors: number;
  /** Memory available to this process, in bytes */
  memory: number;
  platform: string;
  node: string;
  /** null without the engine; `libtorch` in results of engines that computed with it */
  engine: { threads: number; libtorch?: string } | null;
  /** Start of the run, ISO 8601 */
  date: string;
}

export async function environment(): Promise<Environment> {
  const limit = process.constrainedMemory();
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    processors: cpus().length,
    memory: limit > 0 ? Math.min(limit, totalmem()) : totalmem(),
    platform: `${platform()}-${arch()}`,
    node: process.version,
    engine: await engine(),
    date: new Date().toISOString(),
  };
}

async function engine(): Promise<Environment["engine"]> {
  const { configureEngine } = await import("../../lib/native/engine.js");
  try {
    return { threads: configureEngine().threads };
  } catch {
    return null; // suites that need the engine report its absence themselves
  }
}

export function machine({ cpu, processors, node }: Environment): string {
  return `${processors} × ${cpu}, Node ${node}`;
}

export function engineText(engine: Environment["engine"]): string {
  if (engine === null) return "no engine";
  const { libtorch, threads } = engine;
  return `${libtorch ? `LibTorch ${libtorch} on ` : "engine with "}${threads} threads`;
}
