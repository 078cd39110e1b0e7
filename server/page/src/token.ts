/** The token that lets this tab change the library. Kept for the tab's life, never in an address. */
import { signal } from "@preact/signals";

const KEY = "sda-token";

export const token = signal(sessionStorage.getItem(KEY) ?? "");
/** Whether a dialog asks for one now. */
export const asking = signal(false);

let answered: ((given: boolean) => void)[] = [];

/** Opens the dialog; resolves with false when the person closes it without a token. */
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
