/** The server's event stream: library changes by any client, and progress of this tab's sounds. */
import { signal } from "@preact/signals";
import { base } from "./api.js";
import { randomId } from "./random.js";
import type { LibraryChange, Progress } from "./types.js";

const RETRY_MS = 3000;

export const clientId = randomId();
export const connection = signal<"connecting" | "open" | "lost" | "hidden">("connecting");

type Listener<T> = (data: T) => void;
const libraryListeners = new Set<Listener<LibraryChange | null>>();
const progressListeners = new Set<Listener<Progress>>();

/**
 * Calls `listener` with each change, and with null when changes may have been missed.
 *
 * @returns a function that removes the listener
 */
export function onLibraryChange(listener: Listener<LibraryChange | null>): () => void {
  libraryListeners.add(listener);
  return () => libraryListeners.delete(listener);
}

export function onProgress(listener: Listener<Progress>): () => void {
  progressListeners.add(listener);
  return () => progressListeners.delete(listener);
}

let source: EventSource | null = null;

/**
 * Keeps the event stream open while the page is visible. A browser allows six connections per
 * server, and each open tab would hold one. A page that becomes visible again refetches its data.
 */
export function connect(): void {
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) return open();
    source?.close();
    source = null;
    connection.value = "hidden";
  });
  if (!document.hidden) open();
}

function open(): void {
  if (source !== null) return;
  const opened = new EventSource(`${base}/events?clientId=${clientId}`);
  source = opened;
  opened.addEventListener("open", () => {
    const missed = connection.value === "lost" || connection.value === "hidden";
    connection.value = "open";
    if (missed) missedSomething();
  });
  opened.addEventListener("error", () => {
    connection.value = "lost";
    // The browser reconnects by itself, except after a response that is not an event stream.
    if (opened.readyState !== EventSource.CLOSED) return;
    setTimeout(() => {
      if (source !== opened) return;
      source = null;
      open();
    }, RETRY_MS);
  });
  opened.addEventListener("library", ({ data }) => {
    const change: LibraryChange = JSON.parse(data);
    tell(libraryListeners, change.complete ? change : null);
  });
  // The models folder became readable or unreadable, so the displayed data is out of date.
  opened.addEventListener("health", () => missedSomething());
  opened.addEventListener("progress", ({ data }) => tell(progressListeners, JSON.parse(data)));
}

function missedSomething(): void {
  tell(libraryListeners, null);
}

function tell<T>(listeners: Set<Listener<T>>, data: T): void {
  for (const listener of listeners) listener(data);
}
