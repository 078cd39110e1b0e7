import { type SpawnSyncOptions, spawnSync } from "node:child_process";

/** An error whose message explains the failure: shown without a stack. */
export class BuildError extends Error {}

export function say(message: string): void {
  process.stderr.write(`small-dataset-audio: ${message}\n`);
}

export function run(command: string, args: string[], options: SpawnSyncOptions = {}): void {
  const child = spawnSync(command, args, { stdio: "inherit", ...options });
  if (child.error) throw new BuildError(`${command}: ${child.error.message}`);
  if (child.status !== 0)
    throw new BuildError(`failed (${child.signal ?? child.status}): ${command} ${args.join(" ")}`);
}

export function runs(command: string, args: string[] = ["--version"]): boolean {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

/** Runs `main`. A BuildError prints its message and sets exit code 1. */
export async function mainProgram(main: () => Promise<void> | void): Promise<void> {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    say(error.message);
    process.exitCode = 1;
  }
}
