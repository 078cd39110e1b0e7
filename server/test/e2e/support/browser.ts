/** Finds and launches the system's Chromium. These tests download no browser. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "@playwright/test";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** CHROMIUM_PATH, or else the first Chromium in PATH, or else null. */
export const browserPath: string | null = findBrowser();

if (browserPath === null) {
  console.warn(
    "No Chromium (see CHROMIUM_PATH; apt-get install chromium): tests in the browser are skipped.",
  );
}

export function launch(): Promise<Browser> {
  const isRoot = process.getuid?.() === 0;
  return chromium.launch({
    executablePath: browserPath as string,
    args: [
      ...(isRoot ? ["--no-sandbox"] : []), // Chromium's sandbox does not run as root
      "--autoplay-policy=no-user-gesture-required",
      "--disable-gpu",
    ],
  });
}

function findBrowser(): string | null {
  const given = process.env["CHROMIUM_PATH"];
  if (given) return given;
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const places = NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
  return places.find(isExecutable) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
