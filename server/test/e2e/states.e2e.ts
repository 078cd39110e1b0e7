/**
 * Every state of the page in light and dark, on a desktop and on a phone: takes screenshots for
 * people to look at, and fails on findings of axe and on sideways scrolling.
 */
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Page, expect as see } from "@playwright/test";
import { beforeAll, describe, test } from "vitest";
import { expectAccessible, expectNoSideways } from "./support/accessible.js";
import { browserPath } from "./support/browser.js";
import { fixture, manyModels, modelsFolder } from "./support/models.js";
import { startServer } from "./support/server.js";
import { type VisitOptions, visit } from "./support/visit.js";

const shots = fileURLToPath(new URL("../../../out/screenshots/", import.meta.url));

const LOOKS: [string, VisitOptions][] = [];
for (const colorScheme of ["light", "dark"] as const) {
  LOOKS.push([`desktop-${colorScheme}`, { colorScheme }]);
  LOOKS.push([
    `phone-${colorScheme}`,
    { colorScheme, viewport: { width: 360, height: 740 }, hasTouch: true, deviceScaleFactor: 2 },
  ]);
}

describe.skipIf(browserPath === null)("every state", () => {
  beforeAll(() => {
    mkdirSync(shots, { recursive: true });
  });

  async function look(page: Page, name: string): Promise<void> {
    // Playwright hides the caret with an inline style, which the content policy forbids.
    await page.screenshot({ path: `${shots}${name}.png`, fullPage: true, caret: "initial" });
    await expectAccessible(page);
    await expectNoSideways(page);
  }

  describe.each(LOOKS)("on a %s screen", (screen, options) => {
    test("the library", async () => {
      const { url } = await startServer({ modelsDir: await manyModels() });
      const page = await visit(url, options);
      await see(page.getByRole("article")).toHaveCount(24);
      await page.getByRole("button", { name: /^even/ }).click();
      await see(page.getByRole("article")).toHaveCount(15);
      await look(page, `library-cards-${screen}`);
      await page.getByRole("button", { name: "Clear tags" }).click();
      await page.getByRole("radio", { name: "Table" }).check({ force: true });
      await see(page.getByRole("navigation", { name: "Pages" })).toContainText("Page 1 of 2");
      await look(page, `library-table-${screen}`);
      await page.getByRole("searchbox").fill("nothing is called that");
      await see(page.getByRole("heading", { name: "No matching models" })).toBeVisible();
      await look(page, `library-nothing-found-${screen}`);
    });

    test("the library before the first response, and without models", async () => {
      const { folder } = await modelsFolder();
      const { url } = await startServer({ modelsDir: folder });
      let answer: () => void = () => {};
      const waits = new Promise<void>((resolve) => {
        answer = resolve;
      });
      const page = await visit(url, options, (page) =>
        page.route("**/api/models?*", async (route) => {
          await waits;
          await route.fulfill({ json: { models: [], total: 0, page: 1, pageSize: 24 } });
        }),
      );
      await see(page.locator(".skeleton").first()).toBeVisible();
      await look(page, `library-waiting-${screen}`);
      answer();
      await see(page.getByRole("heading", { name: "No models yet" })).toBeVisible();
      await look(page, `library-empty-${screen}`);
    });

    test("uploads", async () => {
      const { folder } = await modelsFolder();
      const { url } = await startServer({ modelsDir: folder });
      const page = await visit(url, { ...options, failures: true });
      const input = page.locator('input[type="file"]');
      await input.setInputFiles(fixture("models/tiny-legacy.sda"));
      await input.setInputFiles({
        name: "page.sda",
        mimeType: "",
        buffer: Buffer.from("<!doctype html><p>Not found</p>"),
      });
      await see(page.getByText("Not added", { exact: true })).toBeVisible();
      await see(page.getByText("Added", { exact: true })).toBeVisible();
      await look(page, `library-uploads-${screen}`);
    });

    test("a model", async () => {
      const { folder, plucks } = await modelsFolder();
      const { url } = await startServer({ modelsDir: folder });
      const page = await visit(
        `${url}?model=${plucks.modelId}&seed=42&sliders=6,-10,9,0,10,0&stereo=stereo`,
        options,
      );
      await see(page.getByRole("slider", { name: "Brightness" })).toBeVisible();
      await look(page, `model-new-${screen}`);
      await page.getByRole("button", { name: /^Render/ }).click();
      await see(page.getByText(/^Full sound/)).toBeVisible();
      await see(page.getByRole("img", { name: /Mel/ })).toBeVisible();
      await page.getByRole("button", { name: "Pause" }).click();
      await look(page, `model-sound-${screen}`);
      await page.getByRole("button", { name: "Edit" }).click();
      await look(page, `model-edit-${screen}`);
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "Delete" }).click();
      await look(page, `model-delete-${screen}`);
    });

    test("a model without sliders", async () => {
      const { folder } = await modelsFolder();
      const { url } = await startServer({ modelsDir: folder });
      const page = await visit(url, options);
      await page.getByRole("link", { name: "Blind Singer" }).click();
      await see(page.getByText(/each seed gives another one/)).toBeVisible();
      await look(page, `model-without-sliders-${screen}`);
    });

    test("a missing model", async () => {
      const { folder } = await modelsFolder();
      const { url } = await startServer({ modelsDir: folder });
      const page = await visit(`${url}?model=nobody`, { ...options, failures: true });
      await see(page.getByRole("alert")).toContainText("This model is not in the library");
      await look(page, `model-gone-${screen}`);
    });

    test("a running render, and the token dialog", async () => {
      const { folder, plucks } = await modelsFolder();
      const { url } = await startServer({
        modelsDir: folder,
        token: "open-sesame",
      });
      const page = await visit(`${url}?model=${plucks.modelId}&duration=60`, options);
      await page.route("**/generate?*", () => {}); // never answered
      await page.getByRole("button", { name: /^Render/ }).click();
      await see(page.getByRole("progressbar")).toBeVisible();
      await look(page, `model-working-${screen}`);
      await page.getByRole("button", { name: "Cancel" }).click();
      await see(page.getByRole("progressbar")).toBeHidden();
      await page.getByRole("button", { name: "Enter token" }).click();
      await look(page, `token-${screen}`);
    });
  });

  test("no sideways scrolling at 320 pixels", async () => {
    const { folder, plucks } = await modelsFolder();
    const { url } = await startServer({ modelsDir: folder });
    const page = await visit(url, { viewport: { width: 320, height: 640 } });
    await see(page.getByRole("article")).toHaveCount(3);
    await expectNoSideways(page);
    await page.getByRole("radio", { name: "Table" }).check({ force: true });
    await expectNoSideways(page);
    await page.goto(`${url}?model=${plucks.modelId}&stereo=stereo`);
    await page.getByRole("button", { name: /^Render/ }).click();
    await see(page.getByText(/^Full sound/)).toBeVisible();
    await expectNoSideways(page);
    await page.getByRole("button", { name: "Edit" }).click();
    await expectNoSideways(page);
  });
});
