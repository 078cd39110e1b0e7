/** A complete visit without a mouse. */
import { type Page, expect as see } from "@playwright/test";
import { describe, expect, test } from "vitest";
import { browserPath } from "./support/browser.js";
import { heard } from "./support/heard.js";
import { modelsFolder, PLUCKS } from "./support/models.js";
import { startServer } from "./support/server.js";
import { visit } from "./support/visit.js";

/** Presses Tab until the element with this name has the focus; throws if it is never reached. */
async function tabTo(page: Page, name: RegExp): Promise<void> {
  const passed: string[] = [];
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press("Tab");
    const focused = await page.evaluate(() => {
      const element = document.activeElement;
      const label = (element as HTMLInputElement | null)?.labels?.[0]?.textContent;
      return element?.getAttribute("aria-label") ?? label ?? element?.textContent ?? "";
    });
    passed.push(focused.trim());
    if (name.test(focused.trim())) return;
  }
  throw new Error(`${name} can't be reached by Tab: ${passed.join(" | ")}`);
}

describe.skipIf(browserPath === null)("with the keyboard alone", () => {
  test("from the library to a sound, an edit and back", async () => {
    const { folder } = await modelsFolder();
    const { url } = await startServer({ modelsDir: folder });
    const page = await visit(url);
    await see(page.getByRole("article")).toHaveCount(3);

    await page.keyboard.press("Tab");
    await see(page.getByRole("link", { name: "Skip to content" })).toBeFocused();
    await page.keyboard.press("Enter");
    await see(page.getByRole("main")).toBeFocused();
    expect(new URL(page.url()).search).toBe("");

    await tabTo(page, /^Search/);
    await page.keyboard.type("pluck");
    await see(page.getByRole("article")).toHaveCount(1);
    await see(page.getByTestId("announcer")).toHaveText(/1 model found/);
    await tabTo(page, new RegExp(`^${PLUCKS}$`));
    await page.keyboard.press("Enter");
    await see(page.getByRole("heading", { level: 1, name: PLUCKS })).toBeFocused();
    await see(page).toHaveTitle(/^Synthetic Plucks/);

    await tabTo(page, /^Render 4 s$/);
    await page.keyboard.press("Enter");
    await heard(page, 1);
    await see(page.getByText(/^Full sound/)).toBeVisible();
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Shift+Tab");
    await see(page.getByRole("button", { name: "Pause" })).toBeFocused();
    await page.keyboard.press("Space");
    await see(page.getByRole("button", { name: "Play" })).toBeFocused();

    await tabTo(page, /^Brightness$/);
    const slider = page.getByRole("slider", { name: "Brightness" });
    for (const [key, value] of [
      ["End", "10"],
      ["Home", "-10"],
      ["ArrowUp", "-9"],
      ["ArrowLeft", "-10"],
    ] as const) {
      await page.keyboard.press(key);
      await see(slider).toHaveValue(value);
    }
    await see(slider).toHaveAttribute("aria-valuetext", "minus 10, unusual");
    await page.keyboard.press("Control+z");
    await see(slider).toHaveValue("-9");
    await page.keyboard.press("Control+y");
    await see(slider).toHaveValue("-10");

    await page.getByRole("heading", { level: 1 }).focus();
    await tabTo(page, /^Edit$/);
    await page.keyboard.press("Enter");
    await see(page.getByRole("dialog")).toBeVisible();
    await page.keyboard.press("Escape");
    await see(page.getByRole("dialog")).toBeHidden();
    await see(page.getByRole("button", { name: "Edit" })).toBeFocused();

    await page.goBack();
    await see(page.getByRole("heading", { level: 1, name: "Library" })).toBeFocused();
    await see(page.getByRole("searchbox")).toHaveValue("pluck");
  });
});
