/** Changes by another window and by another process appear on the page. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect as see } from "@playwright/test";
import { describe, expect, test } from "vitest";
import { browserPath } from "./support/browser.js";
import { fixture, modelsFolder } from "./support/models.js";
import { startServer } from "./support/server.js";
import { visit } from "./support/visit.js";

const cli = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));

describe.skipIf(browserPath === null)("changes by others", () => {
  test("of each of two windows appear in the other", async () => {
    const { folder, plucks } = await modelsFolder();
    const { url } = await startServer({ modelsDir: folder });
    const [one, two] = [await visit(url), await visit(`${url}?model=${plucks.modelId}`)];
    await see(one.getByRole("article")).toHaveCount(3);
    await see(two.getByRole("heading", { level: 1 })).toHaveText(plucks.name);

    await two.getByRole("button", { name: "Edit" }).click();
    await two.getByRole("dialog").getByLabel("Name", { exact: true }).fill("Second Thoughts");
    await two.getByRole("button", { name: "Save" }).click();
    await see(one.getByRole("link", { name: "Second Thoughts" })).toBeVisible();

    await one.locator('input[type="file"]').setInputFiles(fixture("models/tiny-legacy.sda"));
    await see(one.getByRole("article")).toHaveCount(4);
    await two.getByRole("link", { name: "Library", exact: true }).click();
    await see(two.getByRole("article")).toHaveCount(4);
  });

  test("refuse an edit of an older version", async () => {
    const { folder, plucks } = await modelsFolder();
    const { url } = await startServer({ modelsDir: folder });
    const address = `${url}?model=${plucks.modelId}`;
    const [one, two] = [await visit(address, { failures: true }), await visit(address)];
    await one.getByRole("button", { name: "Edit" }).click();
    await one.getByRole("dialog").getByLabel("Name", { exact: true }).fill("Mine");
    await two.getByRole("button", { name: "Edit" }).click();
    await two.getByRole("dialog").getByLabel("Name", { exact: true }).fill("Theirs");
    await two.getByRole("button", { name: "Save" }).click();
    await see(one.getByText("Someone else changed Theirs")).toBeVisible();

    await one.getByRole("button", { name: "Save" }).click();
    await see(one.getByRole("alert")).toContainText("Someone else changed this model");
    await one.getByRole("button", { name: "Load the new version" }).click();
    await see(one.getByRole("dialog").getByLabel("Name", { exact: true })).toHaveValue("Theirs");
    await one.getByRole("dialog").getByLabel("Name", { exact: true }).fill("Ours");
    await one.getByRole("button", { name: "Save" }).click();
    await see(two.getByRole("heading", { level: 1 })).toHaveText("Ours");
  });

  test("on the command line appear on the library's and on the model's page", async () => {
    const { folder, plucks } = await modelsFolder();
    const { url } = await startServer({ modelsDir: folder });
    const [library, model] = [
      await visit(url),
      await visit(`${url}?model=${plucks.modelId}`, { failures: true }),
    ];
    await see(library.getByRole("article")).toHaveCount(3);
    const sda = (...args: string[]) => {
      const { status, stderr } = spawnSync(process.execPath, [
        cli,
        "model",
        ...args,
        "--models-dir",
        folder,
      ]);
      expect(status, String(stderr)).toBe(0);
    };
    sda("import", fixture("checkpoints/tiny.pt"), "--name", "From Afar");
    await see(library.getByRole("link", { name: "From Afar" })).toBeVisible();
    sda("delete", plucks.modelId, "--force");
    await see(library.getByRole("link", { name: plucks.name })).toBeHidden();
    await see(model.getByRole("alert")).toContainText("This model is not in the library");
  });

  test("on a server with a token need the token", async () => {
    const { folder, plucks } = await modelsFolder();
    const { url } = await startServer({ modelsDir: folder, token: "open-sesame" });
    const page = await visit(`${url}?model=${plucks.modelId}`, { failures: true });
    await page.getByRole("button", { name: "Edit" }).click();
    await page.getByRole("dialog").getByLabel("Name", { exact: true }).fill("Opened");
    await page.getByRole("button", { name: "Save" }).click();
    const dialog = page.getByRole("dialog", { name: "Token" });
    await dialog.getByLabel("Token").fill("wrong");
    await dialog.getByRole("button", { name: "Use token" }).click();
    await see(page.getByRole("dialog", { name: "Edit model" }).getByRole("alert")).toContainText(
      "token",
    );
    await page.getByRole("button", { name: "Save" }).click();
    await dialog.getByLabel("Token").fill("open-sesame");
    await dialog.getByRole("button", { name: "Use token" }).click();
    await see(page.getByRole("heading", { level: 1 })).toHaveText("Opened");
    const kept = await page.evaluate(() => [
      sessionStorage.length,
      localStorage.getItem("sda-token"),
      location.href,
    ]);
    expect(kept[0]).toBe(1);
    expect(kept[1]).toBeNull();
    expect(kept[2]).not.toContain("sesame");
    await page.reload();
    await page.getByRole("button", { name: "Delete" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await see(page.getByRole("article")).toHaveCount(2);
  });
});
