/** The server's event stream: changes of the library by anyone, and the progress of this tab's sounds. */
import { signal } from "@preact/signals";
import { base } from "./api.js";
import { randomId } from "./random.js";
import type { LibraryChange, Progress } from "./types.js";

const RETRY_MS = 3000;

export const clientId = randomId();
export const connection = signal<"connecting" | "open" | "lost">("connecting");

type Listener<T> = (data: T) => void;
const libraryListeners = new Set<Listener<LibraryChange | null>>();
const progressListeners = new Set<Listener<Progress>>();

/** Calls `listener` with each change, and with null when some may have been missed. Returns what ends it. */
export function onLibraryChange(listener: Listener<LibraryChange | null>): () => void {
  libraryListeners.add(listener);
  return () => libraryListeners.delete(listener);
}

export function onProgress(listener: Listener<Progress>): () => void {
  progressListeners.add(listener);
  return () => progressListeners.delete(listener);
}

export function connect(): void {
  const source = new EventSource(`${base}/events?clientId=${clientId}`);
  source.addEventListener("open", () => {
    const missed = connection.value === "lost";
    connection.value = "open";
    if (missed) missedSomething();
  });
  source.addEventListener("error", () => {
    connection.value = "lost";
    // The browser connects again by itself, except after an answer that isn't a stream.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, RETRY_MS);
  });
  source.addEventListener("library", ({ data }) => tell(libraryListeners, data));
  // Whether the models folder can be read has changed: so has what there is to show.
  source.addEventListener("health", () => missedSomething());
  source.addEventListener("progress", ({ data }) => tell(progressListeners, data));
}

function missedSomething(): void {
  for (const listener of libraryListeners) listener(null);
}

function tell<T>(listeners: Set<Listener<T>>, data: string): void {
  const parsed: T = JSON.parse(data);
  for (const listener of listeners) listener(parsed);
}
