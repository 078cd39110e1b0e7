import { useSignal } from "@preact/signals";
import { modelFileUrl } from "../api.js";
import { notify } from "../notices.js";
import { canWrite } from "../session.js";
import { Icon } from "../ui/icons.js";
import { DeleteDialog } from "./delete-dialog.js";
import { EditDialog } from "./edit-dialog.js";
import type { OpenModel } from "./load.js";

export function Head({ model }: { model: OpenModel }) {
  const open = useSignal<"edit" | "delete" | null>(null);
  const detail = model.detail.value;
  if (detail === null) return null;
  const { name, description, tags } = detail.value;
  const close = () => {
    open.value = null;
  };
  return (
    <div class="model-head">
      <div>
        <h1 tabIndex={-1}>{name}</h1>
        {description !== "" && <p class="lead">{description}</p>}
        {tags.length > 0 && (
          <ul class="tags" aria-label="Tags">
            {tags.map((tag) => (
              <li key={tag}>{tag}</li>
            ))}
          </ul>
        )}
      </div>
      <div class="row actions">
        <button type="button" class="quiet" onClick={copyAddress}>
          <Icon name="link" />
          Copy link
        </button>
        <a class="button quiet" href={modelFileUrl(model.id)} download>
          <Icon name="download" />
          Model file
        </a>
        {canWrite.value && (
          <>
            <button
              type="button"
              class="quiet"
              onClick={() => {
                open.value = "edit";
              }}
            >
              <Icon name="edit" />
              Edit
            </button>
            <button
              type="button"
              class="quiet danger"
              onClick={() => {
                open.value = "delete";
              }}
            >
              <Icon name="delete" />
              Delete
            </button>
          </>
        )}
      </div>
      {open.value === "edit" && <EditDialog model={model} onClose={close} />}
      {open.value === "delete" && <DeleteDialog id={model.id} name={name} onClose={close} />}
    </div>
  );
}

/** Browsers give the clipboard to safe origins only; elsewhere the address bar has it all the same. */
async function copyAddress(): Promise<void> {
  try {
    await navigator.clipboard.writeText(location.href);
    notify("Link copied: it holds the model, the positions and the settings");
  } catch {
    notify("The browser does not allow copying here; the address bar has the link", "failed");
  }
}
