import { arch, cpus, platform, totalmem } from "node:os";

/** What figures depend on; goes into every file of results. */
export interface Environment {
  cpu: string;
  processors: number;
  /** Bytes that this process may have */
  memory: number;
  platform: string;
  node: string;
  /** null where there is no LibTorch */
  engine: { libtorch: string; threads: number } | null;
  /** When the run began */
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
  const { engineAddon } = await import("../../lib/native/load.js");
  try {
    return { libtorch: engineAddon().info().libtorch, threads: configureEngine().threads };
  } catch {
    return null; // a suite that needs it says so itself
  }
}

export function machine({ cpu, processors, node }: Environment): string {
  return `${processors} × ${cpu}, Node ${node}`;
}
