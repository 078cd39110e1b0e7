/**
 * The token for changing the library. Kept until the tab closes. `sda serve` prints an address with
 * the token in its fragment, which browsers do not send; the page removes it from the address.
 */
import { signal } from "@preact/signals";

const KEY = "sda-token";
const IN_ADDRESS = /^#token=(.+)$/;

export const token = signal(sessionStorage.getItem(KEY) ?? "");
/** Whether the token dialog is open. */
export const asking = signal(false);

let answered: ((given: boolean) => void)[] = [];

/** Opens the token dialog. Resolves with false when the user closes it without a token. */
export function askForToken(): Promise<boolean> {
  asking.value = true;
  return new Promise((resolve) => answered.push(resolve));
}

/** Takes a token from the page's address. @returns whether there was one */
export function takeTokenFromAddress(): boolean {
  const given = IN_ADDRESS.exec(location.hash)?.[1];
  if (given === undefined) return false;
  history.replaceState(history.state, "", location.pathname + location.search);
  try {
    keep(decodeURIComponent(given));
  } catch {
    keep(given); // it has a "%" of its own
  }
  return true;
}

function keep(value: string): void {
  token.value = value;
  if (value === "") sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, value);
}

export function answerToken(value: string | null): void {
  if (value !== null) keep(value);
  asking.value = false;
  const waiting = answered;
  answered = [];
  for (const resolve of waiting) resolve(value !== null && value !== "");
}
