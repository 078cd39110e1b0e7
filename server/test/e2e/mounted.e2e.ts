/** The page under another prefix, and its content policy. */
import { once } from "node:events";
import { createServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
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

  test("works below a path that a proxy removes, with the token of the address", async () => {
    const { folder } = await modelsFolder();
    const server = await startServer({ modelsDir: folder, token: "right token" });
    const proxy = createServer((request, response) => {
      const path = request.url?.replace(/^\/sounds\//, "/") ?? "/";
      const { method, headers } = request;
      const target = {
        port: server.port,
        path,
        method,
        headers: { ...headers, host: "localhost" },
      };
      const forward = httpRequest(target, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      forward.on("error", () => response.destroy());
      request.pipe(forward);
    }).listen(0, "127.0.0.1");
    await once(proxy, "listening");
    let page: Awaited<ReturnType<typeof visit>> | undefined;
    try {
      const { port } = proxy.address() as AddressInfo;
      page = await visit(`http://127.0.0.1:${port}/sounds/#token=right%20token`);
      await see(page).toHaveURL(`http://127.0.0.1:${port}/sounds/`);
      const paths: string[] = [];
      page.on("request", (request) => paths.push(new URL(request.url()).pathname));
      await page.getByRole("link", { name: PLUCKS }).click();
      await page.getByRole("button", { name: /^Render/ }).click();
      await heard(page, 1);
      await see(page.getByRole("img", { name: /Mel/ })).toHaveJSProperty("complete", true);
      expect(paths.filter((path) => !path.startsWith("/sounds/"))).toEqual([]);
      const session = await page.evaluate(async () => {
        const authorization = `Bearer ${sessionStorage.getItem("sda-token")}`;
        return (await fetch("api/session", { headers: { authorization } })).json();
      });
      expect(session).toMatchObject({ tokenRequired: true });
      expect(await page.evaluate(() => sessionStorage.getItem("sda-token"))).toBe("right token");
    } finally {
      await page?.close(); // its event stream ends first
      proxy.closeAllConnections();
      proxy.close();
    }
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
