/**
 * Routing by the URL's query alone: `?model=ID&sliders=…&seed=…` shows a model, any other query
 * the library. So the page works under any path without server routes, and its URLs can be shared.
 */
import { computed, signal } from "@preact/signals";

/** The query with its "?", or "" */
const query = signal(location.search);
/** Counts navigations. Rewriting the current URL does not count. */
export const moves = signal(0);

export const modelId = computed(() => new URLSearchParams(query.value).get("model"));

/** The library's last query, for links back to it. */
let libraryQuery = modelId.value === null ? location.search : "";

function entered(): void {
  query.value = location.search;
  if (modelId.value === null) libraryQuery = location.search;
}

addEventListener("popstate", () => {
  entered();
  moves.value++;
});

export function currentQuery(): URLSearchParams {
  return new URLSearchParams(query.peek());
}

export function modelAddress(id: string): string {
  return `?${new URLSearchParams({ model: id })}`;
}

export function libraryAddress(): string {
  return libraryQuery === "" ? location.pathname : libraryQuery;
}

export function go(address: string): void {
  history.pushState(null, "", address);
  entered();
  moves.value++;
  scrollTo(0, 0);
}

/** Replaces the current URL; adds no entry to the browser's history. */
export function rewrite(search: URLSearchParams): void {
  history.replaceState(null, "", addressWith(search));
  entered();
}

/** This page's URL with another query. */
export function addressWith(search: URLSearchParams): string {
  const text = search.toString().replaceAll("%2C", ",");
  return text === "" ? location.pathname : `?${text}`;
}
