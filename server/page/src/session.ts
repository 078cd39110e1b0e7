/** What this browser may do on the server. */
import { computed, signal } from "@preact/signals";
import { getSession } from "./api.js";
import type { Session } from "./types.js";

const FALLBACK_MAX_DURATION_S = 60;

export const session = signal<Session | null>(null);

/** Whether changes can be offered: with a token to be asked for, if need be. */
export const canWrite = computed(
  () => session.value !== null && (session.value.writable || session.value.tokenRequired),
);

export const maxDurationS = computed(() => session.value?.maxDurationS ?? FALLBACK_MAX_DURATION_S);

/** Without an answer nothing is offered that changes anything; the lists say what is wrong. */
export async function fetchSession(): Promise<void> {
  try {
    session.value = await getSession();
  } catch {
    session.value = null;
  }
}
