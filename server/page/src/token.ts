/** The token for changing the library. Kept until the tab closes, never part of a URL. */
import { signal } from "@preact/signals";

const KEY = "sda-token";

export const token = signal(sessionStorage.getItem(KEY) ?? "");
/** Whether the token dialog is open. */
export const asking = signal(false);

let answered: ((given: boolean) => void)[] = [];

/** Opens the token dialog. Resolves with false when the user closes it without a token. */
export function askForToken(): Promise<boolean> {
  asking.value = true;
  return new Promise((resolve) => answered.push(resolve));
}

export function answerToken(value: string | null): void {
  if (value !== null) {
    token.value = value;
    if (value === "") sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, value);
  }
  asking.value = false;
  const waiting = answered;
  answered = [];
  for (const resolve of waiting) resolve(value !== null && value !== "");
}
