import { describe, expect, test } from "vitest";
import {
  addressOf,
  EVERYTHING,
  libraryQueryOf,
  sortBy,
  toggleTag,
} from "../../page/src/library/query.js";

const parse = (text: string) => libraryQueryOf(new URLSearchParams(text));

test("an address restores the query that it was made from", () => {
  const q = {
    query: "dröm & bass",
    tags: ["a,b", "c"],
    sort: "name",
    order: "desc",
    page: 3,
  } as const;
  expect(parse(addressOf(q).toString())).toEqual(q);
});

test("the whole library has an empty address", () => {
  expect(addressOf(EVERYTHING).toString()).toBe("");
  expect(parse("")).toEqual(EVERYTHING);
});

test.each(["page=0", "page=-1", "page=x", "sort=filePath", "order=up"])(
  "%s is invalid and gives the default",
  (text) => {
    expect(parse(text)).toEqual(EVERYTHING);
  },
);

describe("a changed query starts at page 1", () => {
  const third = { ...EVERYTHING, page: 3 };

  test("sorting by another field uses the field's first order", () => {
    expect(sortBy(third, "name")).toEqual({ ...EVERYTHING, sort: "name", order: "asc" });
    expect(sortBy(third, "fileSizeBytes").order).toBe("desc");
  });

  test("sorting by the same field reverses the order", () => {
    expect(sortBy(third, "saveDate")).toEqual({ ...EVERYTHING, order: "asc" });
  });

  test("a tag is added and removed", () => {
    const one = toggleTag(third, "drums");
    expect(one).toEqual({ ...EVERYTHING, tags: ["drums"] });
    expect(toggleTag(one, "drums")).toEqual(EVERYTHING);
  });
});
