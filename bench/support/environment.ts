import { arch, cpus, platform } from "node:os";

/** What figures depend on; goes into every file of results. */
export interface Environment {
  cpu: string;
  processors: number;
  platform: string;
  node: string;
  date: string;
}

export function environment(): Environment {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    processors: cpus().length,
    platform: `${platform()}-${arch()}`,
    node: process.version,
    date: new Date().toISOString(),
  };
}

export function machine({ cpu, processors, node } = environment()): string {
  return `${processors} × ${cpu}, Node ${node}`;
}
