/**
 * tsx scripts/screenshot.ts: makes doc/page.png, README's picture of the page with a model open.
 * Needs the built server (npm run build:server) and a Chromium (CHROMIUM_PATH names one).
 */
import { cpSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageRoot } from "../lib/native/package-root.js";
import { browserPath, launch } from "../server/test/e2e/support/browser.js";
import { BuildError, mainProgram, say } from "./lib/process.js";

const MODEL = "synthetic-plucks.sda";
const PICTURE = join(packageRoot, "doc/page.png");
const MAX_BYTES = 200_000;
const VIEWPORT = { width: 1180, height: 780 };
/** Slider positions, seed and settings, as the page's own links hold them. */
const SOUND = "sliders=6,-4,9,0,-8,3&seed=42&stereo=stereo";

await mainProgram(async () => {
  if (browserPath === null) throw new BuildError("no Chromium found (set CHROMIUM_PATH)");
  // A copy, because the server writes its index into the models folder.
  const folder = mkdtempSync(join(tmpdir(), "sda-screenshot-"));
  try {
    cpSync(join(packageRoot, "assets/models", MODEL), join(folder, MODEL));
    await takePicture(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const { size } = statSync(PICTURE);
  if (size > MAX_BYTES)
    throw new BuildError(`${PICTURE} has ${size} bytes, more than ${MAX_BYTES}`);
  say(`${PICTURE}: ${Math.round(size / 1000)} kB`);
});

async function takePicture(modelsDir: string): Promise<void> {
  const { serve } = await import("small-dataset-audio-server");
  const server = await serve({ modelsDir, port: 0 });
  const browser = await launch();
  try {
    const page = await browser.newPage({
      viewport: VIEWPORT,
      colorScheme: "light",
      reducedMotion: "reduce",
    });
    await page.goto(server.url);
    const address = await page.getByRole("article").getByRole("link").getAttribute("href");
    await page.goto(`${server.url}${address}&${SOUND}`);
    await page.getByRole("button", { name: /^Render/ }).click();
    await page.getByText(/^Full sound/).waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    // Half way through the sound, where the waveform shows its played and its unplayed part
    await page.getByRole("slider", { name: "Position in the sound" }).fill("1.6");
    await page.getByRole("img", { name: /^Mel/ }).waitFor();
    // Playwright hides the caret with an inline style, which the content policy forbids.
    await page.screenshot({ path: PICTURE, caret: "initial" });
  } finally {
    await browser.close();
    await server.close();
  }
}
