/** Short messages, shown for a few seconds and read out by screen readers. */
import { signal } from "@preact/signals";

export interface Notice {
  id: number;
  text: string;
  kind: "done" | "failed";
}

const SHOWN_MS = 6000;
let last = 0;

export const notices = signal<readonly Notice[]>([]);
/** Text for screen readers only */
export const spoken = signal("");

export function notify(text: string, kind: Notice["kind"] = "done"): void {
  const id = ++last;
  notices.value = [...notices.value.slice(-2), { id, text, kind }];
  setTimeout(() => dismiss(id), kind === "failed" ? 2 * SHOWN_MS : SHOWN_MS);
}

export function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

/** Tells screen readers what other users see. */
export function announce(text: string): void {
  // Screen readers ignore text that does not change: a trailing space makes the repeat differ.
  spoken.value = spoken.value === text ? `${text}\u00a0` : text;
}
