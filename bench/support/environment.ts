import { cpus } from "node:os";

/** What figures depend on; goes into every file of results. */
export function environment() {
  return {
    cpu: cpus()[0]?.model,
    processors: cpus().length,
    node: process.version,
    date: new Date().toISOString(),
  };
}

export function machine(): string {
  const { cpu, processors, node } = environment();
  return `${processors} × ${cpu}, Node ${node}`;
}
