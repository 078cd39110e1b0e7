import type { ModelEntry } from "small-dataset-audio";
import { sendJson } from "../etag.js";
import { ListQuery, ListSchema, problems, TagsSchema } from "../schemas.js";
import type { Service } from "../service.js";
import type { Api } from "./api.js";

const PAGE_SIZE = 50;

/** Routes of the library: its models and their tags. */
export function modelsRoutes(api: Api, service: Service): void {
  const { library } = service;

  api.get(
    "/models",
    {
      schema: {
        operationId: "listModels",
        summary: "Returns a page of the models that match",
        tags: ["library"],
        querystring: ListQuery,
        response: { 200: ListSchema, ...problems },
      },
    },
    async (request, reply) => {
      const { query = "", tags = [], sort = "saveDate", order = "desc" } = request.query;
      const { page = 1, pageSize = PAGE_SIZE } = request.query;
      const now = await library.current();
      const offset = Math.min((page - 1) * pageSize, Number.MAX_SAFE_INTEGER);
      const { entries, total } = now.searchPage({
        query,
        tags,
        sortBy: sort,
        reverse: order === "desc",
        offset,
        limit: pageSize,
      });
      const models = await Promise.all(
        entries.map(async (entry) => {
          const generation = await now.generationOf(entry).catch(() => null);
          return { ...entry, generation };
        }),
      );
      return sendJson(request, reply, { models, total, page, pageSize });
    },
  );

  let counted: { revision: number; tags: { tag: string; count: number }[] } | null = null;
  api.get(
    "/tags",
    {
      schema: {
        operationId: "listTags",
        summary: "Returns all tags with their number of models",
        tags: ["library"],
        response: { 200: TagsSchema, ...problems },
      },
    },
    async (request, reply) => {
      const now = await library.current();
      const { revision } = library;
      if (counted?.revision !== revision) {
        counted = { revision, tags: countTags(now.pick(["tags"])) };
      }
      return sendJson(request, reply, { tags: counted.tags });
    },
  );
}

function countTags(entries: Pick<ModelEntry, "tags">[]): { tag: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const { tags } of entries) {
    for (const tag of new Set(tags)) counts.set(tag, (counts.get(tag) ?? 0) + 1);
  }
  return Array.from(counts, ([tag, count]) => ({ tag, count })).sort(
    (a, b) => b.count - a.count || (a.tag < b.tag ? -1 : 1),
  );
}
