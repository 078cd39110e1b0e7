import { addressWith, go } from "../route.js";
import type { ModelList } from "../types.js";
import { addressOf } from "./query.js";
import { PAGE_SIZE, query } from "./state.js";

export function Pager({ page: { page, total } }: { page: ModelList }) {
  const last = Math.ceil(total / PAGE_SIZE);
  if (last <= 1) return null;
  const turn = (to: number) => go(addressWith(addressOf({ ...query.value, page: to })));
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
