import type { ModelList } from "../types.js";
import { ask, PAGE_SIZE, query } from "./state.js";

export function Pager({ page: { page, total } }: { page: ModelList }) {
  const last = Math.ceil(total / PAGE_SIZE);
  if (last <= 1) return null;
  const turn = (to: number) => {
    ask({ ...query.value, page: to });
    document.querySelector<HTMLElement>("h1")?.focus();
    scrollTo(0, 0);
  };
  return (
    <nav class="pager" aria-label="Pages">
      <button type="button" disabled={page <= 1} onClick={() => turn(page - 1)}>
        Previous
      </button>
      <span>
        Page {page} of {last}
      </span>
      <button type="button" disabled={page >= last} onClick={() => turn(page + 1)}>
        Next
      </button>
    </nav>
  );
}
