import type { Page } from "@playwright/test";
import type axe from "axe-core";
import { expect } from "vitest";

/** Fails on axe findings of serious or critical impact, and names the elements. */
export async function expectAccessible(page: Page): Promise<void> {
  const findings = await page.evaluate(async () => {
    const { violations } = await (globalThis as unknown as { axe: typeof axe }).axe.run(document, {
      resultTypes: ["violations"],
      preload: false, // preloading copies styles to places that the content policy forbids
    });
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .flatMap(({ id, nodes }) =>
        nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")}: ${failureSummary}`),
      );
  });
  expect(findings).toEqual([]);
}

/** Fails when the content is wider than the window, which makes phones scroll sideways. */
export async function expectNoSideways(page: Page): Promise<void> {
  const [content, window] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    document.documentElement.clientWidth,
  ]);
  expect(content).toBeLessThanOrEqual(window as number);
}
