/** HiFi-GAN on one thread and its multiply-adds alone, measured by scripts/vocoder-bench.sh. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("../../scripts/vocoder-bench.sh", import.meta.url));

/** Milliseconds of the runs of each round */
export interface MultiplyAdds {
  /** One second of sound on one thread */
  vocoder: number[][];
  /** Its multiply-adds alone, in registers, with the widest instructions used */
  alone: number[][];
}

/** @returns the times, or the reason why they could not be measured */
export function multiplyAdds(rounds: number): MultiplyAdds | string {
  const all: MultiplyAdds = { vocoder: [], alone: [] };
  for (let round = 0; round < rounds; round++) {
    const { status, stdout, stderr } = spawnSync("bash", [SCRIPT], { encoding: "utf8" });
    if (status !== 0)
      return `scripts/vocoder-bench.sh failed (${status}): ${stderr.trim().split("\n")[0]}`;
    const { vocoder, alone } = JSON.parse(stdout);
    all.vocoder.push(vocoder);
    all.alone.push(alone);
  }
  return all;
}
