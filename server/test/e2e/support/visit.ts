/**
 * Browser windows for the tests. A test fails if its page logs an error or a warning, violates the
 * content policy, or requests anything from another origin.
 */
import { createRequire } from "node:module";
import type { Browser, BrowserContextOptions, Page } from "@playwright/test";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { browserPath, launch } from "./browser.js";
import { recordSounds } from "./heard.js";

export const axePath = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** Timeout of each action on a page. */
const PATIENCE_MS = 60_000;

interface Visit {
  page: Page;
  faults: string[];
  origin: string;
}

export interface VisitOptions extends BrowserContextOptions {
  /** Whether requests may fail: the browser logs them as console errors */
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

/**
 * Opens `url` in a window with a context of its own, as another user would have.
 *
 * @param prepare called before the page loads
 */
export async function visit(
  url: string,
  options: VisitOptions = {},
  prepare: (page: Page) => Promise<unknown> = async () => {},
): Promise<Page> {
  if (browser === undefined) throw new Error("no browser");
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
