import { useEffect } from "preact/hooks";
import { connection, onLibraryChange } from "../events.js";
import { count } from "../format.js";
import { announce } from "../notices.js";
import { canWrite } from "../session.js";
import { useTitle } from "../title.js";
import { Failure } from "../ui/failure.js";
import { Cards } from "./cards.js";
import { Filters } from "./filters.js";
import { Pager } from "./pager.js";
import { ask, enter, found, loading, problem, query, refresh, view } from "./state.js";
import { ModelTable } from "./table.js";
import { UploadButton, UploadDrop, Uploads } from "./upload.js";

export function LibraryPage() {
  useTitle("Library");
  useEffect(enter, []);
  useEffect(() => onLibraryChange(() => refresh()), []);
  useEffect(() => {
    // The event stream reconnected after the list had failed to load.
    if (connection.value === "open" && problem.peek() !== null) refresh();
  }, [connection.value]);
  useEffect(() => {
    if (found.value) announce(`${count(found.value.total, "model")} found`);
  }, [found.value?.total]);
  return (
    <>
      <UploadDrop />
      <div class="page-head">
        <h1 tabIndex={-1}>Library</h1>
        <p class="muted" aria-hidden="true">
          {found.value && count(found.value.total, "model")}
        </p>
        {canWrite.value && <UploadButton />}
      </div>
      <Uploads />
      <Filters />
      <Found />
    </>
  );
}

function Found() {
  const page = found.value;
  if (problem.value) {
    return <Failure title="Cannot load the library" problem={problem.value} onRetry={refresh} />;
  }
  if (page === null) return <Waiting />;
  if (page.total === 0) return <Nothing />;
  return (
    <div class={loading.value ? "found is-loading" : "found"} aria-busy={loading.value}>
      {view.value === "cards" ? (
        <Cards models={page.models} />
      ) : (
        <ModelTable models={page.models} />
      )}
      <Pager page={page} />
    </div>
  );
}

function Waiting() {
  return (
    <div class="cards" aria-busy="true">
      <p class="visually-hidden">Loading models</p>
      {Array.from({ length: 6 }, (_, i) => (
        <div key={i} class="card skeleton" aria-hidden="true">
          <i />
          <i />
          <i />
        </div>
      ))}
    </div>
  );
}

function Nothing() {
  const { tags, ...asked } = query.value;
  if (asked.query === "" && tags.length === 0) {
    return (
      <div class="empty">
        <h2>No models yet</h2>
        <p>
          {canWrite.value
            ? "Drop a model (.sda, .distill, .distillgan) or a training checkpoint (.pt) here, or click “Add model”."
            : "The models folder of this server is empty."}
        </p>
      </div>
    );
  }
  return (
    <div class="empty">
      <h2>No matching models</h2>
      <p>{noMatch(asked.query !== "", tags.length)}</p>
      <button type="button" onClick={() => ask({ ...query.value, query: "", tags: [], page: 1 })}>
        Show all models
      </button>
    </div>
  );
}

function noMatch(hasText: boolean, tags: number): string {
  const text = "has this text in its name or description";
  const tag = tags === 1 ? "has this tag" : "has one of these tags";
  if (!hasText) return `No model ${tag}.`;
  return tags === 0 ? `No model ${text}.` : `No model ${text} and ${tag}.`;
}
