/** The page under another prefix, and its content policy. */
import { expect as see } from "@playwright/test";
import { describe, expect, test } from "vitest";
import { browserPath } from "./support/browser.js";
import { heard } from "./support/heard.js";
import { modelsFolder, PLUCKS } from "./support/models.js";
import { startServer } from "./support/server.js";
import { visit } from "./support/visit.js";

describe.skipIf(browserPath === null)("the page", () => {
  test("works under another path and requests nothing outside of it", async () => {
    const { folder } = await modelsFolder();
    const server = await startServer({ modelsDir: folder, prefix: "/sounds/here/v1" });
    const url = new URL("/sounds/here/", server.url).href;
    const page = await visit(url);
    const paths: string[] = [];
    page.on("request", (request) => paths.push(new URL(request.url()).pathname));
    await page.reload();
    await page.getByRole("link", { name: PLUCKS }).click();
    await page.getByRole("button", { name: /^Render/ }).click();
    await heard(page, 1);
    await see(page.getByRole("img", { name: /Mel/ })).toHaveJSProperty("complete", true);
    expect(paths.filter((path) => !path.startsWith("/sounds/here/"))).toEqual([]);
  });

  test("has a content policy that allows only its own scripts and styles", async () => {
    const { folder } = await modelsFolder();
    const { url } = await startServer({ modelsDir: folder });
    const answer = await fetch(url);
    const policy = answer.headers.get("content-security-policy") ?? "";
    expect(policy).toMatch(/default-src 'none'/);
    expect(policy).not.toMatch(/unsafe/);
    const html = await answer.text();
    expect(html).not.toMatch(/<script(?![^>]*\ssrc=)/);
    expect(html).not.toMatch(/\s(style|on\w+)=/);
    expect(html).not.toMatch(/https?:\/\//);
  });
});
