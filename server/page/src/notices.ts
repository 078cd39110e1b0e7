/** Short messages: shown for a while, and read out by screen readers without interrupting. */
import { signal } from "@preact/signals";

export interface Notice {
  id: number;
  text: string;
  kind: "done" | "failed";
}

const SHOWN_MS = 6000;
let last = 0;

export const notices = signal<readonly Notice[]>([]);
/** Read out, not shown */
export const spoken = signal("");

export function notify(text: string, kind: Notice["kind"] = "done"): void {
  const id = ++last;
  notices.value = [...notices.value.slice(-2), { id, text, kind }];
  setTimeout(() => dismiss(id), kind === "failed" ? 2 * SHOWN_MS : SHOWN_MS);
}

export function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

/** For what is plain to see and must be heard, too. */
export function announce(text: string): void {
  // The same text twice would not be read twice.
  spoken.value = spoken.value === text ? `${text}\u00a0` : text;
}
