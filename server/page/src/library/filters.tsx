import { useSignal } from "@preact/signals";
import { Icon } from "../ui/icons.js";
import { SORTS, type SortField, sortBy, toggleTag } from "./query.js";
import { ask, query, show, tags, view } from "./state.js";

/** Number of tags shown before the "more" button. */
const FEW_TAGS = 12;

export function Filters() {
  const q = query.value;
  const field = SORTS.find((s) => s.field === q.sort) ?? SORTS[0];
  return (
    <search class="filters">
      <div class="row">
        <label class="search-box">
          <span class="visually-hidden">Search names and descriptions</span>
          <Icon name="search" />
          <input
            type="search"
            placeholder="Search names and descriptions"
            maxLength={200}
            value={q.query}
            onInput={({ currentTarget }) =>
              ask({ ...query.value, query: currentTarget.value, page: 1 }, { isTyping: true })
            }
          />
        </label>
        <label class="inline">
          <span>Sort by</span>
          <select
            value={q.sort}
            onChange={({ currentTarget }) =>
              ask(sortBy(query.value, currentTarget.value as SortField))
            }
          >
            {SORTS.map(({ field, text }) => (
              <option key={field} value={field}>
                {text}
              </option>
            ))}
          </select>
        </label>
        <button
          type="button"
          class="icon-only"
          aria-label={`Order: ${q.order === "asc" ? "ascending" : "descending"}. Reverse`}
          title={q.order === "asc" ? "Ascending" : "Descending"}
          onClick={() => ask(sortBy(query.value, field.field))}
        >
          <Icon name={q.order === "asc" ? "up" : "down"} />
        </button>
        <fieldset class="segments">
          <legend class="visually-hidden">View</legend>
          {(["cards", "table"] as const).map((name) => (
            <label key={name} title={name === "cards" ? "Cards" : "Table"}>
              <input
                type="radio"
                name="view"
                checked={view.value === name}
                onChange={() => show(name)}
              />
              <Icon name={name} />
              <span class="visually-hidden">{name === "cards" ? "Cards" : "Table"}</span>
            </label>
          ))}
        </fieldset>
      </div>
      <TagChips />
    </search>
  );
}

function TagChips() {
  const all = useSignal(false);
  const chosen = query.value.tags;
  const known = tags.value;
  // A selected tag stays visible even when no model has it any more.
  const missing = chosen.filter((tag) => !known.some((k) => k.tag === tag));
  const shown = all.value
    ? known
    : known.filter(({ tag }, rank) => rank < FEW_TAGS || chosen.includes(tag));
  if (known.length + missing.length === 0) return null;
  const chip = (tag: string, count: number) => (
    <button
      type="button"
      key={tag}
      class="chip"
      aria-pressed={chosen.includes(tag)}
      onClick={() => ask(toggleTag(query.value, tag))}
    >
      {tag}
      <span class="count" aria-hidden="true">
        {count}
      </span>
      <span class="visually-hidden">, {count} models</span>
    </button>
  );
  return (
    <fieldset class="chips">
      <legend class="visually-hidden">Filter by tags: show models with any selected tag</legend>
      {missing.map((tag) => chip(tag, 0))}
      {shown.map(({ tag, count }) => chip(tag, count))}
      {known.length > FEW_TAGS && (
        <button
          type="button"
          class="chip more"
          aria-expanded={all.value}
          onClick={() => {
            all.value = !all.value;
          }}
        >
          {all.value ? "Fewer tags" : `${known.length - FEW_TAGS} more`}
        </button>
      )}
      {chosen.length > 0 && (
        <button
          type="button"
          class="quiet"
          onClick={() => ask({ ...query.value, tags: [], page: 1 })}
        >
          Clear tags
        </button>
      )}
    </fieldset>
  );
}
