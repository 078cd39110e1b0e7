import type { Page } from "@playwright/test";
import type axe from "axe-core";
import { expect } from "vitest";

/** The findings of axe that keep people from using a page, with where they are. */
export async function expectAccessible(page: Page): Promise<void> {
  const findings = await page.evaluate(async () => {
    const { violations } = await (globalThis as unknown as { axe: typeof axe }).axe.run(document, {
      resultTypes: ["violations"],
      preload: false, // it would copy styles to where the page's policy forbids them
    });
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .flatMap(({ id, nodes }) =>
        nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")}: ${failureSummary}`),
      );
  });
  expect(findings).toEqual([]);
}

/** Nothing may stick out to the right: phones would scroll sideways. */
export async function expectNoSideways(page: Page): Promise<void> {
  const [content, window] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    document.documentElement.clientWidth,
  ]);
  expect(content).toBeLessThanOrEqual(window as number);
}
