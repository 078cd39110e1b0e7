/** Complete visits: each step as a user does it. Played samples are compared with the library's. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect as see } from "@playwright/test";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type GenerateOptions,
  type LoadedModel,
  loadModel,
  ModelLibrary,
  randomizeSliders,
  writeWav,
} from "../../../lib/index.js";
import { browserPath } from "./support/browser.js";
import { dropFile } from "./support/drop.js";
import { heard, timesHeard } from "./support/heard.js";
import {
  bundledModel,
  emptyFolder,
  fixture,
  manyModels,
  modelsFolder,
  PLUCKS,
} from "./support/models.js";
import { startServer } from "./support/server.js";
import { visit } from "./support/visit.js";

/** The samples' bytes: comparing one buffer is faster than comparing each sample. */
function bytesOf(samples: Float32Array): Buffer {
  return Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
}

describe.skipIf(browserPath === null)("a visit", () => {
  let model: LoadedModel;
  beforeAll(async () => {
    model = await loadModel(bundledModel);
  });
  afterAll(() => model.dispose());

  async function expectHeard(
    sound: { sampleRate: number; channels: Float32Array[] },
    options: GenerateOptions,
  ): Promise<void> {
    const own = await model.generate(options);
    expect(sound.sampleRate).toBe(own.sampleRate);
    expect(sound.channels.map(bytesOf)).toEqual(own.audio.map(bytesOf));
  }

  test("browse, filter, open, move sliders, hear, download", async () => {
    const { folder } = await modelsFolder();
    const { url } = await startServer({ modelsDir: folder });
    const page = await visit(url);
    await see(page.getByRole("article")).toHaveCount(3);

    await page.getByRole("button", { name: /^demo/ }).click();
    await see(page.getByRole("article")).toHaveCount(2);
    await page.getByRole("searchbox").fill("pluck");
    await see(page.getByRole("article")).toHaveCount(1);
    expect(new URL(page.url()).search).toBe("?q=pluck&tag=demo");

    await page.getByRole("link", { name: PLUCKS }).click();
    await see(page.getByRole("heading", { level: 1 })).toHaveText(PLUCKS);
    await see(page.getByRole("heading", { level: 1 })).toBeFocused();
    const brightness = page.getByRole("slider", { name: "Brightness" });
    await see(brightness).toHaveAttribute("aria-valuetext", "0, like the training sounds");
    await page.getByLabel("Seed", { exact: true }).fill("42");
    await page.getByLabel("Seed", { exact: true }).press("Enter");
    await heard(page, 1);

    // One slider by mouse, two by keyboard
    const box = await brightness.boundingBox();
    if (box === null) throw new Error("the slider is not visible");
    await page.mouse.click(box.x + box.width - 4, box.y + box.height / 2);
    await see(brightness).toHaveValue("10");
    await page.getByRole("slider", { name: "Axis 2" }).focus();
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    await page.getByRole("slider", { name: "Treble" }).focus();
    await page.keyboard.press("End");
    await see(page.getByRole("slider", { name: "Treble" })).toHaveAttribute(
      "aria-valuetext",
      "plus 10, unusual",
    );
    const sliders = [10, -2, 10, 0, 0, 0];
    await see(page.getByText(/^Preview, 1 s, 48 kHz$/)).toBeVisible();
    await see(page).toHaveURL(/sliders=10,-2,10,0,0,0&seed=42/);
    const previews = await timesHeard(page);
    await expectHeard(await heard(page, previews), { sliders, seed: 42, durationS: 1 });

    await page.getByLabel("Duration in seconds").fill("2.5");
    await page.getByLabel("Duration in seconds").press("Enter");
    await page.getByLabel("Channels").selectOption("stereo");
    await page.getByRole("slider", { name: "Width" }).fill("1.2");
    await page.getByRole("button", { name: "Render 2.5 s" }).click();
    await see(page.getByText(/^Full sound.*left channel above, right below$/)).toBeVisible();
    const options: GenerateOptions = {
      sliders,
      seed: 42,
      durationS: 2.5,
      spatial: { mode: "stereo", width: 1.2, depth: 0.3 },
    };
    await expectHeard(await heard(page, await timesHeard(page)), options);
    await see(
      page.getByText(/signal-to-noise ratio|only silence|no silent part/).first(),
    ).toBeVisible();
    await see(page.getByRole("img", { name: /Mel spectrogram/ })).toHaveJSProperty(
      "complete",
      true,
    );

    for (const bitDepth of [16, 24, 32] as const) {
      await page.getByLabel("Bit depth").selectOption(String(bitDepth));
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name: "Download WAV" }).click(),
      ]);
      expect(download.suggestedFilename()).toBe("Synthetic_Plucks_seed42.wav");
      const own = join(emptyFolder(), "own.wav");
      await writeWav(own, await model.generate(options), { bitDepth });
      expect(readFileSync(await download.path())).toEqual(readFileSync(own));
    }

    // The address restores everything in another browser window
    const other = await visit(page.url());
    await see(other.getByRole("slider", { name: "Brightness" })).toHaveValue("10");
    await see(other.getByRole("slider", { name: "Width" })).toHaveValue("1.2");
    await other.getByRole("button", { name: "Render 2.5 s" }).click();
    await expectHeard(await heard(other, 1), options);
  });

  test("a library of several pages can be paged through; the address holds the page", async () => {
    const { url } = await startServer({ modelsDir: await manyModels() });
    const page = await visit(`${url}?sort=name&order=asc`);
    const cards = page.getByRole("article");
    const names = () => cards.getByRole("heading").allTextContents();
    await see(cards).toHaveCount(24);
    const first = await names();
    await page.getByRole("button", { name: "Next" }).click();
    await see(cards).toHaveCount(9);
    await see(page.getByRole("button", { name: "Next" })).toBeDisabled();
    await see(page.getByRole("heading", { name: "Library" })).toBeFocused();
    const second = await names();
    expect([...first, ...second]).toEqual([...first, ...second].toSorted());
    expect(new Set([...first, ...second]).size).toBe(33);
    const other = await visit(page.url());
    await see(other.getByRole("article")).toHaveCount(9);
    await page.goBack();
    await see(cards).toHaveCount(24);
    expect(await names()).toEqual(first);
  });

  test("random positions equal the library's; centre, reset, undo and redo work", async () => {
    const { folder, plucks } = await modelsFolder();
    const { url } = await startServer({ modelsDir: folder });
    const page = await visit(`${url}?model=${plucks.modelId}`);
    if (model.analysis === null) throw new Error("the model has no sliders");
    const positions = () =>
      page
        .getByRole("region", { name: "Sliders" })
        .getByRole("slider")
        .evaluateAll((inputs) => inputs.map((input) => (input as HTMLInputElement).valueAsNumber));
    const random = randomizeSliders(model.analysis, 7);
    const centre = random.map(() => 0);

    await page.getByRole("textbox", { name: "seed", exact: true }).fill("7");
    await page.getByRole("textbox", { name: "seed", exact: true }).press("Enter");
    await see.poll(positions).toEqual(random);
    await page.getByRole("slider", { name: "Axis 2" }).dblclick();
    const reset = random.with(1, 0);
    await see.poll(positions).toEqual(reset);
    await page.getByRole("button", { name: "Centre" }).click();
    await see.poll(positions).toEqual(centre);
    await page.getByRole("button", { name: "Undo" }).click();
    await see.poll(positions).toEqual(reset);
    await page.keyboard.press("Control+Shift+z");
    await see.poll(positions).toEqual(centre);

    await page.getByRole("button", { name: "Randomise" }).click();
    const seed = Number(
      await page.getByRole("textbox", { name: "seed", exact: true }).inputValue(),
    );
    expect(await positions()).toEqual(randomizeSliders(model.analysis, seed));
  });

  test("A and B keep their positions and sounds and switch during playback", async () => {
    const { folder, plucks } = await modelsFolder();
    const { url } = await startServer({ modelsDir: folder });
    const page = await visit(
      `${url}?model=${plucks.modelId}&seed=1&sliders=5,0,0,0,0,0&duration=3`,
    );
    await page.getByRole("button", { name: "Loop" }).click();
    await page.getByRole("button", { name: "Render 3 s" }).click();
    const first = await heard(page, 1);
    expect(first.loop).toBe(true);

    await page.getByRole("radio", { name: "B" }).check({ force: true });
    await page.getByRole("slider", { name: "Brightness" }).fill("-5");
    await see(page.getByText(/^Preview/)).toBeVisible();
    await page.getByRole("button", { name: "Render 3 s" }).click();
    await see(page.getByText(/^Full sound/)).toBeVisible();
    const second = await heard(page, await timesHeard(page));

    let asked = 0;
    page.on("request", (request) => {
      if (/generate|sounds/.test(request.url()) && !request.url().endsWith(".png")) asked++;
    });
    const before = await timesHeard(page);
    await page.getByRole("radio", { name: "A" }).check({ force: true });
    await see(page.getByRole("slider", { name: "Brightness" })).toHaveValue("5");
    const again = await heard(page, before + 1);
    expect(again.channels.map(bytesOf)).toEqual(first.channels.map(bytesOf));
    expect(again.offset).toBeGreaterThan(0);
    await page.getByRole("radio", { name: "B" }).check({ force: true });
    await see(page.getByRole("slider", { name: "Brightness" })).toHaveValue("-5");
    const last = await heard(page, before + 2);
    expect(last.channels.map(bytesOf)).toEqual(second.channels.map(bytesOf));
    expect(asked).toBe(0);

    // The address restores both slots in another browser window
    await see(page).toHaveURL(/sliders=-5,.*slot=B&other=/);
    const other = await visit(page.url());
    await see(other.getByRole("radio", { name: "B" })).toBeChecked();
    await see(other.getByRole("slider", { name: "Brightness" })).toHaveValue("-5");
    await other.getByRole("radio", { name: "A" }).check({ force: true });
    await see(other.getByRole("slider", { name: "Brightness" })).toHaveValue("5");
  });

  test("the event stream reports the progress of a full render", async () => {
    const { folder, plucks } = await modelsFolder();
    const { url } = await startServer({ modelsDir: folder });
    const page = await visit(`${url}?model=${plucks.modelId}&duration=6`);
    let arrived: () => void = () => {};
    const isSeen = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    await page.route("**/generate?*", async (route) => {
      const response = await route.fetch();
      await isSeen; // holds the response back until the progress has been checked
      await route.fulfill({ response });
    });
    await page.getByRole("button", { name: "Render 6 s" }).click();
    await see(page.getByText("6 of 6", { exact: true })).toBeVisible();
    await see(page.getByRole("progressbar")).toHaveAttribute("value", "1");
    arrived();
    await heard(page, 1);
    await see(page.getByRole("progressbar")).toBeHidden();
  });

  test("a WAV file moves the sliders to the nearest positions", async () => {
    const { folder, plucks } = await modelsFolder();
    const { url } = await startServer({ modelsDir: folder });
    const wav = join(emptyFolder(), "hit.wav");
    await writeWav(wav, await model.generate({ sliders: [8, 0, 0, 0, 0, 0], seed: 3 }));
    const page = await visit(`${url}?model=${plucks.modelId}`);
    const answer = await fetch(`${url}api/models/${plucks.modelId}/encode`, {
      method: "POST",
      headers: { "Content-Type": "audio/wav" },
      body: readFileSync(wav),
    });
    const { positions } = (await answer.json()) as { positions: number[] };
    expect(positions.some((position) => position !== 0)).toBe(true);
    await see(page.getByRole("slider", { name: "Brightness" })).toBeVisible();
    await dropFile(page, wav);
    await see(page.getByText("Sliders moved to the nearest match for hit.wav")).toBeVisible();
    await see(page).toHaveURL(new RegExp(`sliders=${positions.join(",")}`));
  });

  test("edit, import a checkpoint, play it, delete it", async () => {
    const { folder, plucks } = await modelsFolder();
    const { url } = await startServer({ modelsDir: folder });
    const page = await visit(`${url}?model=${plucks.modelId}`);

    await page.getByRole("button", { name: "Edit" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Name", { exact: true }).fill("Renamed Plucks");
    await dialog.getByLabel(/^Tags/).fill("new, demo , new");
    await dialog.getByLabel("Slider 2").fill("Wobble");
    await dialog.getByRole("button", { name: "Save" }).click();
    await see(page.getByRole("heading", { level: 1 })).toHaveText("Renamed Plucks");
    await see(page.getByRole("slider", { name: "Wobble" })).toBeVisible();
    await see(page.getByRole("button", { name: "Edit" })).toBeFocused();
    // The event of this change reaches this page as well, before the response.
    await page.waitForTimeout(500);
    await see(page.getByText("Someone else changed")).toHaveCount(0);
    const library = await ModelLibrary.open(folder);
    expect(library.get(plucks.modelId)).toMatchObject({
      name: "Renamed Plucks",
      tags: ["new", "demo"],
    });
    using changed = await loadModel(join(folder, plucks.filePath));
    expect(changed.sliders()[1]?.label).toBe("Wobble");

    await page.getByRole("link", { name: "Library", exact: true }).click();
    await page.locator('input[type="file"]').setInputFiles(fixture("checkpoints/tiny.pt"));
    await page.getByRole("link", { name: "Open tiny" }).click();
    await see(page.getByRole("heading", { level: 1 })).toHaveText("tiny");
    const slider = page.getByRole("region", { name: "Sliders" }).getByRole("slider").first();
    await slider.press("ArrowRight");
    const sound = await heard(page, 1);
    const id = new URL(page.url()).searchParams.get("model") ?? "";
    await library.refresh();
    const entry = library.get(id);
    using imported = await loadModel(join(folder, entry?.filePath ?? "missing"));
    const seed = Number(await page.getByLabel("Seed", { exact: true }).inputValue());
    const sliders = imported.sliders().map((_, i) => (i === 0 ? 1 : 0));
    const own = await imported.generate({ sliders, seed, durationS: 1 });
    expect(sound.channels.map(bytesOf)).toEqual(own.audio.map(bytesOf));

    await page.getByRole("button", { name: "Delete" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await see(page.getByRole("heading", { level: 1 })).toHaveText("Library");
    await see(page.getByRole("article")).toHaveCount(3);
    await library.refresh();
    expect(library.get(id)).toBeNull();
  });

  test("sort, pages and the table are remembered", async () => {
    const { folder } = await modelsFolder();
    const { url } = await startServer({ modelsDir: folder });
    const page = await visit(url);
    await page.getByLabel("Sort by").selectOption("name");
    await see(page.getByRole("article").first()).toContainText("Blind Singer");
    await page.getByRole("button", { name: /^Order: ascending/ }).click();
    await see(page.getByRole("article").first()).toContainText("Tiny Bells");
    await page.getByRole("radio", { name: "Table" }).check({ force: true });
    await page.reload();
    const rows = page.getByRole("table").getByRole("row");
    await see(rows).toHaveCount(4);
    await see(rows.nth(1)).toContainText("Tiny Bells");
    await see(page.getByRole("columnheader", { name: "Name" })).toHaveAttribute(
      "aria-sort",
      "descending",
    );
  });
});
