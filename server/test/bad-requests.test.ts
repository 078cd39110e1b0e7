/** Random bad requests to a server in a process of its own, which must answer all of them. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { compiled } from "../../test/support/compiled.js";
import { count } from "../../test/support/effort.js";
import { type BadRequest, badRequest } from "./bad-requests.js";
import { afterTest, metric, modelsFolder, until } from "./support.js";

/** The server says "still here" at once, or an answer is late by more than this. */
const ANSWER_MS = 20_000;
const AT_ONCE = 6;

const START = `
  const { serve } = await import(process.argv[1]);
  const [modelsDir, uploadDir] = process.argv.slice(2);
  const { url } = await serve({ modelsDir, uploadDir, device: "cpu", token: false, port: 0 });
  console.log(url);`;

async function serverProcess(modelsDir: string, uploadDir: string) {
  const index = pathToFileURL(compiled("server/src/index.ts")).href;
  const child = spawn(
    process.execPath,
    ["--input-type=module", "-e", START, index, modelsDir, uploadDir],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  afterTest(() => child.kill("SIGKILL"));
  const [url] = (await once(createInterface(child.stdout), "line")) as [string];
  return { child, url };
}

/** Sends a request. @returns the status; "closed" without one; "hangs" */
async function statusOf(port: number, { bytes, cuts, isCut }: BadRequest) {
  const socket = connect(port, "127.0.0.1");
  socket.setNoDelay().on("error", () => {});
  let answer = "";
  socket.on("data", (part) => {
    if (answer.length < 100) answer += part.toString("latin1");
  });
  const closed = new Promise<"closed">((done) => socket.once("close", () => done("closed")));
  const late = sleep(ANSWER_MS, "hangs" as const, { ref: false });
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    socket.write(bytes.subarray(from, to));
    from = to;
    if (cuts.length > 0) await sleep(1);
  }
  if (isCut) socket.end();
  const result = await Promise.race([closed, late]);
  socket.destroy();
  const status = /^HTTP\/1\.1 (\d+)/.exec(answer)?.[1];
  return result === "hangs" ? result : status === undefined ? result : Number(status);
}

test("no bad request ends the server, stays unanswered, or leaves a file", async () => {
  const modelsDir = modelsFolder();
  const uploadDir = modelsFolder({});
  const { child, url } = await serverProcess(modelsDir, uploadDir);
  const port = Number(new URL(url).port);
  const total = count({ quick: 150, full: 10_000 }, "SDA_BAD_REQUESTS");
  const first = Number(process.env["SDA_BAD_REQUESTS_SEED"] ?? 1);
  const wrong: string[] = [];
  let next = first;
  const worker = async () => {
    while (next < first + total && child.exitCode === null && wrong.length < 20) {
      const seed = next++;
      const request = badRequest(seed);
      const status = await statusOf(port, request);
      // A cut request needs no answer: its client has left.
      const isFine = status === "closed" ? request.isCut : status !== "hangs" && status !== 500;
      if (!isFine) wrong.push(`seed ${seed}: ${status}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  expect(wrong).toEqual([]);
  expect(child.exitCode).toBe(null);
  await until(async () => (await metric(url, "sda_uploads")) === 0);
  const left = readdirSync(uploadDir).flatMap((name) => readdirSync(join(uploadDir, name)));
  expect(left).toEqual([]);
  expect((await fetch(`${url}api/health`)).status).toBe(200);
}, 1_200_000);
