/** The rights of this browser on the server. */
import { computed, signal } from "@preact/signals";
import { LIMITS } from "../../../lib/audio/limits.js";
import { getSession } from "./api.js";
import type { Session } from "./types.js";

export const session = signal<Session | null>(null);

/** Whether to offer changes. Where a token is needed, the page asks for it on the first change. */
export const canWrite = computed(
  () => session.value !== null && (session.value.writable || session.value.tokenRequired),
);

export const maxDurationS = computed(() => session.value?.maxDurationS ?? LIMITS.durationS.max);

/** Fetches the rights. On failure the page offers no changes; the model list shows the error. */
export async function fetchSession(): Promise<void> {
  try {
    session.value = await getSession();
  } catch {
    session.value = null;
  }
}
