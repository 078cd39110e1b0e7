/** The models in the library view, fetched again when the query or the library changes. */
import { signal } from "@preact/signals";
import { getModels, getTags } from "../api.js";
import { asProblem, isAbort, type Problem } from "../problem.js";
import { currentQuery, rewrite } from "../route.js";
import type { ModelList, TagCount } from "../types.js";
import { addressOf, type LibraryQuery, libraryQueryOf } from "./query.js";

export const PAGE_SIZE = 24;
const TYPING_MS = 200;
const VIEW_KEY = "sda-library-view";

export type View = "cards" | "table";

export const view = signal<View>(localStorage.getItem(VIEW_KEY) === "table" ? "table" : "cards");
export const query = signal<LibraryQuery>(libraryQueryOf(currentQuery()));
/** The latest result. It stays on screen while the next request runs. */
export const found = signal<ModelList | null>(null);
export const tags = signal<readonly TagCount[]>([]);
export const loading = signal(false);
export const problem = signal<Problem | null>(null);

export function show(next: View): void {
  view.value = next;
  localStorage.setItem(VIEW_KEY, next);
}

/** Starts with the query of the current URL. */
export function enter(): void {
  query.value = libraryQueryOf(currentQuery());
  refresh();
}

let typing: ReturnType<typeof setTimeout> | undefined;

/** Changes the query. While the user types, the request waits for a pause. */
export function ask(next: LibraryQuery, { isTyping = false } = {}): void {
  query.value = next;
  rewrite(addressOf(next));
  clearTimeout(typing);
  if (isTyping) typing = setTimeout(fetchModels, TYPING_MS);
  else fetchModels();
}

export function refresh(): void {
  fetchModels();
  fetchTags();
}

let current = new AbortController();

async function fetchModels(): Promise<void> {
  current.abort();
  current = new AbortController();
  const { signal } = current;
  loading.value = true;
  try {
    const page = await getModels({ ...query.peek(), pageSize: PAGE_SIZE }, signal);
    // After deletions the requested page may not exist: show the last page.
    const last = Math.max(1, Math.ceil(page.total / PAGE_SIZE));
    if (page.page > last) return ask({ ...query.peek(), page: last });
    found.value = page;
    problem.value = null;
  } catch (error) {
    if (isAbort(error)) return;
    problem.value = asProblem(error);
  }
  loading.value = false;
}

let currentTags = new AbortController();

async function fetchTags(): Promise<void> {
  currentTags.abort();
  currentTags = new AbortController();
  try {
    tags.value = await getTags(currentTags.signal);
  } catch (error) {
    // The list of models shows the error.
    if (!isAbort(error)) tags.value = [];
  }
}
