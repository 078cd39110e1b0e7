/** Every fault is shown with its cause, and the page recovers once the fault is gone. */
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect as see } from "@playwright/test";
import { describe, expect, test } from "vitest";
import { call, global, pickle, str } from "../../../test/support/pickle-builder.js";
import { torchZip } from "../../../test/support/zip-builder.js";
import { browserPath } from "./support/browser.js";
import { heard } from "./support/heard.js";
import { emptyFolder, modelsFolder } from "./support/models.js";
import { startServer } from "./support/server.js";
import { visit } from "./support/visit.js";

describe.skipIf(browserPath === null)("a fault", () => {
  test("the server stops and comes back", async () => {
    const { folder, plucks } = await modelsFolder();
    const server = await startServer({ modelsDir: folder });
    const page = await visit(`${server.url}?model=${plucks.modelId}`, { failures: true });
    const library = await visit(server.url, { failures: true });
    await see(library.getByRole("article")).toHaveCount(3);
    await see(page.getByRole("slider", { name: "Brightness" })).toBeVisible();
    await server.kill();
    const banner = page.locator(".banner");
    await see(banner).toContainText("The connection to the server is lost");
    await see(page.getByTestId("announcer")).toHaveText(/connection to the server is lost/);
    await page.getByRole("button", { name: /^Render/ }).click();
    await see(page.getByRole("alert")).toContainText("The server does not respond");
    await library.getByRole("searchbox").fill("pluck");
    await see(library.getByRole("alert")).toContainText("The server does not respond");

    await startServer({ modelsDir: folder, port: server.port });
    await see(banner).toBeHidden();
    await see(library.getByRole("article")).toHaveCount(1);
    await page.getByRole("button", { name: "Try again" }).click();
    await heard(page, 1);
    await see(page.getByRole("alert")).toBeHidden();
  });

  test("without the engine the page shows everything, and why there is no sound", async () => {
    const { folder, plucks } = await modelsFolder();
    const { url } = await startServer({ modelsDir: folder }, { SDA_ENGINE_ADDON: "/nowhere.node" });
    const page = await visit(`${url}?model=${plucks.modelId}`, { failures: true });
    await page.getByRole("slider", { name: "Brightness" }).press("ArrowRight");
    await see(page.getByRole("alert")).toContainText(/engine|native/);
    await see(page.getByRole("slider", { name: "Brightness" })).toHaveValue("1");
  });

  test("the models folder disappears and comes back", async () => {
    const { folder } = await modelsFolder();
    const { url } = await startServer({ modelsDir: folder });
    const page = await visit(url, { failures: true });
    await see(page.getByRole("article")).toHaveCount(3);
    renameSync(folder, `${folder}-away`);
    await see(page.getByRole("alert")).toContainText("models folder");
    renameSync(`${folder}-away`, folder);
    await see(page.getByRole("article")).toHaveCount(3);
  });

  test("each file that is not a model is refused with its reason", async () => {
    const { folder } = await modelsFolder();
    const { url } = await startServer({ modelsDir: folder, limits: { maxUploadBytes: 100_000 } });
    const page = await visit(url, { failures: true });
    const hostile = torchZip(pickle(call(global("os", "system"), str("echo owned")))).bytes;
    const place = emptyFolder();
    const files = {
      "page.sda": "<!doctype html><h1>404</h1>",
      "evil.pt": hostile,
      "huge.sda": Buffer.alloc(100_001),
    };
    const paths = Object.entries(files).map(([name, content]) => {
      writeFileSync(join(place, name), content);
      return join(place, name);
    });
    await page.locator('input[type="file"]').setInputFiles(paths);
    const entry = (name: string) =>
      page.getByRole("region", { name: "Uploads" }).getByRole("listitem").filter({ hasText: name });
    await see(entry("page.sda")).toContainText("nor a training checkpoint");
    await see(entry("evil.pt")).toContainText("Blocked: this file tries to run code (os.system)");
    await see(entry("huge.sda")).toContainText("this server accepts at most 100 kB");
    await see(page.getByRole("article")).toHaveCount(3);
    await page.getByRole("button", { name: "Dismiss evil.pt" }).click();
    await see(entry("evil.pt")).toHaveCount(0);
  });

  test("an invalid WAV file is reported", async () => {
    const { folder, plucks } = await modelsFolder();
    const { url } = await startServer({ modelsDir: folder });
    const page = await visit(`${url}?model=${plucks.modelId}&sliders=1,2,3,4,5,6`, {
      failures: true,
    });
    await see(page.getByRole("slider", { name: "Brightness" })).toHaveValue("1");
    await page.locator('input[type="file"]').setInputFiles({
      name: "noise.wav",
      mimeType: "audio/wav",
      buffer: Buffer.from("RIFF but not a WAV"),
    });
    await see(page.getByText(/^noise\.wav: /)).toBeVisible();
    await see(page.getByRole("slider", { name: "Brightness" })).toHaveValue("1");
  });

  test("a busy server is reported, and the request can be repeated", async () => {
    const { folder, plucks } = await modelsFolder();
    const { url } = await startServer({ modelsDir: folder });
    const page = await visit(`${url}?model=${plucks.modelId}`, { failures: true });
    await page.route("**/generate?*", (route) => route.fulfill({ status: 429, body: "" }), {
      times: 1,
    });
    await page.getByRole("button", { name: /^Render/ }).click();
    await see(page.getByRole("alert")).toContainText("The server is busy");
    await page.getByRole("button", { name: "Try again" }).click();
    await heard(page, 1);
  });

  test("a sound that the server has dropped is rendered again for its download", async () => {
    const { folder, plucks } = await modelsFolder();
    const { url } = await startServer({ modelsDir: folder });
    const page = await visit(`${url}?model=${plucks.modelId}&seed=5`, { failures: true });
    await page.getByRole("button", { name: /^Render/ }).click();
    await heard(page, 1);
    await see(page.getByText(/^Full sound/)).toBeVisible();
    await page.route(
      "**/sounds/*?bitDepth=24",
      (route) => route.fulfill({ status: 404, body: "" }),
      { times: 1 },
    );
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Download WAV" }).click(),
    ]);
    expect(download.suggestedFilename()).toBe("Synthetic_Plucks_seed5.wav");
  });

  test("an address with invalid settings still shows the model", async () => {
    const { folder, plucks } = await modelsFolder();
    const { url } = await startServer({ modelsDir: folder });
    const page = await visit(
      `${url}?model=${plucks.modelId}&sliders=1,99&seed=abc&duration=1e9&rate=7`,
    );
    await see(page.getByText(/positions that do not fit/)).toBeVisible();
    await see(page.getByRole("slider", { name: "Brightness" })).toHaveValue("0");
    await see(page.getByLabel("Duration in seconds")).toHaveValue("4");
  });

  test("a new request aborts the previous one; cancelling keeps the current sound", async () => {
    const { folder, plucks } = await modelsFolder();
    const { url } = await startServer({ modelsDir: folder });
    const page = await visit(`${url}?model=${plucks.modelId}`, { failures: true });
    const aborted: string[] = [];
    page.on("requestfailed", (request) => aborted.push(request.postDataJSON().sliders.join()));
    await page.route("**/generate?*", () => {}, { times: 1 });
    const slider = page.getByRole("slider", { name: "Brightness" });
    const preview = page.waitForRequest(/generate/);
    await slider.press("ArrowRight");
    await preview;
    await see(page.getByRole("progressbar")).toHaveCount(0); // previews show no bar
    await slider.press("ArrowRight");
    await heard(page, 1);
    await see.poll(() => aborted).toEqual(["1,0,0,0,0,0"]);

    await page.route("**/generate?*", () => {}, { times: 1 });
    const whole = page.waitForRequest(/generate/); // only a request that was sent can be aborted
    await page.getByRole("button", { name: /^Render/ }).click();
    await whole;
    await page.getByRole("button", { name: "Cancel" }).click();
    await see(page.getByText(/^Preview/)).toBeVisible();
    await see(page.getByRole("alert")).toHaveCount(0);
    await see.poll(() => aborted).toHaveLength(2);
  });
});
