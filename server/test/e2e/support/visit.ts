/** Windows of a browser that hold each page to what all of them must keep: no errors, no violations, nothing from elsewhere. */
import { createRequire } from "node:module";
import type { Browser, BrowserContextOptions, Page } from "@playwright/test";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { browserPath, launch } from "./browser.js";
import { recordSounds } from "./heard.js";

export const axePath = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** How long the page may take for anything. */
const PATIENCE_MS = 15_000;

interface Visit {
  page: Page;
  faults: string[];
  origin: string;
}

export interface VisitOptions extends BrowserContextOptions {
  /** Whether requests may fail, which browsers write to the console */
  failures?: boolean;
}

let browser: Browser | undefined;
const visits: Visit[] = [];

beforeAll(async () => {
  if (browserPath !== null) browser = await launch();
});

afterAll(() => browser?.close());

afterEach(async () => {
  const ended = visits.splice(0);
  await Promise.all(ended.map(({ page }) => page.context().close()));
  expect(ended.flatMap(({ faults }) => faults)).toEqual([]);
});

/** A window of its own, as of another person, `prepare`d before it goes there. Its faults fail the test when it ends. */
export async function visit(
  url: string,
  options: VisitOptions = {},
  prepare: (page: Page) => Promise<unknown> = async () => {},
): Promise<Page> {
  if (browser === undefined) throw new Error("There is no browser");
  const { failures = false, ...rest } = options;
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    reducedMotion: "reduce",
    ...rest,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const { origin } = new URL(url);
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() !== "error" && message.type() !== "warning") return;
    if (failures && /^Failed to load resource/.test(message.text())) return;
    faults.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    const to = new URL(request.url());
    if (to.protocol !== "blob:" && to.origin !== origin) faults.push(`foreign: ${request.url()}`);
  });
  await page.exposeFunction("reportViolation", (text: string) => faults.push(`policy: ${text}`));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      const report = (window as unknown as { reportViolation(text: string): void }).reportViolation;
      report(`${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  await page.addInitScript(recordSounds);
  await page.addInitScript({ path: axePath });
  visits.push({ page, faults, origin });
  await prepare(page);
  await page.goto(url);
  return page;
}
