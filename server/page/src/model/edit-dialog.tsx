import { useSignal } from "@preact/signals";
import { CHANGE_LIMITS } from "../../../../lib/library/writes/change-limits.js";
import { notify } from "../notices.js";
import { asProblem, type Problem } from "../problem.js";
import type { ModelChange, ModelDetail } from "../types.js";
import { Dialog } from "../ui/dialog.js";
import type { OpenModel } from "./load.js";
import { parseTags } from "./tags.js";

/**
 * Edits name, description, tags and slider labels. The change carries the ETag of the version that
 * the dialog opened with, so it cannot overwrite a newer change by someone else.
 */
export function EditDialog({ model, onClose }: { model: OpenModel; onClose: () => void }) {
  const base = useSignal(model.detail.peek());
  const problem = useSignal<Problem | null>(null);
  const busy = useSignal(false);
  if (base.value === null) return null;
  const { value: before, etag } = base.value;
  const sliders = model.sliders.value?.sliders ?? [];

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const change = changeOf(before, new FormData(event.currentTarget as HTMLFormElement));
    if (Object.keys(change).length === 0) return onClose();
    busy.value = true;
    try {
      await model.change(change, etag);
      notify("Saved");
      onClose();
    } catch (error) {
      problem.value = asProblem(error);
    }
    busy.value = false;
  };

  return (
    <Dialog title="Edit model" onClose={onClose}>
      <form key={etag} onSubmit={submit}>
        <label class="field">
          Name
          <input name="name" required maxLength={CHANGE_LIMITS.name} defaultValue={before.name} />
        </label>
        <label class="field">
          Description
          <textarea
            name="description"
            rows={3}
            maxLength={CHANGE_LIMITS.description}
            defaultValue={before.description}
          />
        </label>
        <label class="field">
          Tags, separated by commas
          <input name="tags" defaultValue={before.tags.join(", ")} />
        </label>
        {sliders.length > 0 && (
          <fieldset class="labels">
            <legend>Slider names</legend>
            {sliders.map(({ index, label }) => (
              <label key={index} class="field">
                Slider {index + 1}
                <input name="label" maxLength={CHANGE_LIMITS.componentLabel} defaultValue={label} />
              </label>
            ))}
          </fieldset>
        )}
        {problem.value && <Told problem={problem.value} />}
        <p class="row end">
          {problem.value?.status === 412 && (
            <button
              type="button"
              onClick={async () => {
                await model.fetch();
                base.value = model.detail.value;
                problem.value = null;
              }}
            >
              Load the new version
            </button>
          )}
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={busy.value}>
            {busy.value ? "Saving…" : "Save"}
          </button>
        </p>
      </form>
    </Dialog>
  );
}

function Told({ problem }: { problem: Problem }) {
  return (
    <p class="error" role="alert">
      {problem.status === 412
        ? "Someone else changed this model while you were editing. Your changes are not saved."
        : problem.message}
    </p>
  );
}

/** Only the changed fields, so that changes by others to the remaining fields survive. */
function changeOf(before: ModelDetail, form: FormData): ModelChange {
  const change: ModelChange = {};
  const name = String(form.get("name")).trim();
  const description = String(form.get("description"));
  const tags = parseTags(String(form.get("tags")));
  const labels = form.getAll("label").map((label) => String(label).trim());
  if (name !== before.name) change.name = name;
  if (description !== before.description) change.description = description;
  if (tags.join("\n") !== before.tags.join("\n")) change.tags = tags;
  const labelled = labels.map((_, i) => before.componentLabels[i] ?? `Axis ${i + 1}`);
  if (labels.some((label, i) => label !== labelled[i])) change.componentLabels = labels;
  return change;
}
