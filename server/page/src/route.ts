/**
 * The address's query says it all: `?model=ID&sliders=…&seed=…` is a model, everything else the library. So the page works
 * wherever it is mounted, with no help from the server, and an address can be shared.
 */
import { computed, signal } from "@preact/signals";

/** With its "?" or empty */
const query = signal(location.search);
/** Counts moves to another address; what only rewrites the present one does not count. */
export const moves = signal(0);

export const modelId = computed(() => new URLSearchParams(query.value).get("model"));

/** The library's address as it was last seen, for the way back. */
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

/** The same place in other words: no new entry in the browser's history. */
export function rewrite(search: URLSearchParams): void {
  history.replaceState(null, "", addressWith(search));
  entered();
}

/** This page with another query. */
export function addressWith(search: URLSearchParams): string {
  const text = search.toString().replaceAll("%2C", ",");
  return text === "" ? location.pathname : `?${text}`;
}
