import { readFileSync } from "node:fs";
import { basename } from "node:path";
import type { Page } from "@playwright/test";

/** Sends the events of a file that is dragged over the window and dropped. */
export async function dropFile(page: Page, path: string): Promise<void> {
  const file = { name: basename(path), base64: readFileSync(path).toString("base64") };
  const transfer = await page.evaluateHandle(({ name, base64 }) => {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name));
    return data;
  }, file);
  for (const type of ["dragenter", "dragover", "drop"]) {
    await page.dispatchEvent("h1", type, { dataTransfer: transfer });
  }
}
