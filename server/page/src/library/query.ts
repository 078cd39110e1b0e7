/** The library view's state (search, tags, sort order, page) and its form in the URL. */
export const SORTS = [
  { field: "saveDate", text: "Saved", first: "desc" },
  { field: "name", text: "Name", first: "asc" },
  { field: "trainingDate", text: "Trained", first: "desc" },
  { field: "finalValLoss", text: "Loss", first: "asc" },
  { field: "fileSizeBytes", text: "Size", first: "desc" },
  { field: "nActiveComponents", text: "Sliders", first: "desc" },
] as const;

export type SortField = (typeof SORTS)[number]["field"];

export interface LibraryQuery {
  query: string;
  tags: readonly string[];
  sort: SortField;
  order: "asc" | "desc";
  page: number;
}

export const EVERYTHING: LibraryQuery = {
  query: "",
  tags: [],
  sort: "saveDate",
  order: "desc",
  page: 1,
};

/** Reads the library view from a URL's query. Invalid values take their defaults. */
export function libraryQueryOf(search: URLSearchParams): LibraryQuery {
  const sort = SORTS.find(({ field }) => field === search.get("sort")) ?? SORTS[0];
  const order = search.get("order");
  const page = search.get("page") ?? "";
  return {
    query: search.get("q") ?? "",
    tags: search.getAll("tag"),
    sort: sort.field,
    order: order === "asc" || order === "desc" ? order : sort.first,
    page: /^[1-9]\d{0,6}$/.test(page) ? Number(page) : 1,
  };
}

/** Writes the library view as a URL's query. Default values are left out. */
export function addressOf({ query, tags, sort, order, page }: LibraryQuery): URLSearchParams {
  const search = new URLSearchParams();
  if (query !== "") search.set("q", query);
  for (const tag of tags) search.append("tag", tag);
  if (sort !== EVERYTHING.sort) search.set("sort", sort);
  if (order !== SORTS.find(({ field }) => field === sort)?.first) search.set("order", order);
  if (page !== 1) search.set("page", String(page));
  return search;
}

/** A click on a column's head: sorts by the column, or reverses the order. */
export function sortBy(q: LibraryQuery, field: SortField): LibraryQuery {
  const first = SORTS.find((s) => s.field === field)?.first ?? "asc";
  const order = q.sort !== field ? first : q.order === "asc" ? "desc" : "asc";
  return { ...q, sort: field, order, page: 1 };
}

export function toggleTag(q: LibraryQuery, tag: string): LibraryQuery {
  const tags = q.tags.includes(tag) ? q.tags.filter((t) => t !== tag) : [...q.tags, tag];
  return { ...q, tags, page: 1 };
}
