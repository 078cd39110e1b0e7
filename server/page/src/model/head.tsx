import { useSignal } from "@preact/signals";
import { modelFileUrl } from "../api.js";
import { notify } from "../notices.js";
import { canWrite } from "../session.js";
import { Icon } from "../ui/icons.js";
import { DeleteDialog } from "./delete-dialog.js";
import { EditDialog } from "./edit-dialog.js";
import type { OpenModel } from "./load.js";

/** The page's head. The h1 always exists, because it gets the focus after navigation. */
export function Head({ model }: { model: OpenModel }) {
  const detail = model.detail.value?.value;
  const placeholder = model.problem.value ? "Model" : "Opening model…";
  const isShown = detail !== undefined && model.problem.value === null;
  return (
    <div class="model-head">
      <div>
        <h1 tabIndex={-1}>{detail?.name ?? placeholder}</h1>
        {isShown && detail.description !== "" && <p class="lead">{detail.description}</p>}
        {isShown && detail.tags.length > 0 && (
          <ul class="tags" aria-label="Tags">
            {detail.tags.map((tag) => (
              <li key={tag}>{tag}</li>
            ))}
          </ul>
        )}
      </div>
      {isShown && <Actions model={model} name={detail.name} />}
    </div>
  );
}

function Actions({ model, name }: { model: OpenModel; name: string }) {
  const open = useSignal<"edit" | "delete" | null>(null);
  const show = (dialog: "edit" | "delete" | null) => () => {
    open.value = dialog;
  };
  return (
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
          <button type="button" class="quiet" onClick={show("edit")}>
            <Icon name="edit" />
            Edit
          </button>
          <button type="button" class="quiet danger" onClick={show("delete")}>
            <Icon name="delete" />
            Delete
          </button>
        </>
      )}
      {open.value === "edit" && <EditDialog model={model} onClose={show(null)} />}
      {open.value === "delete" && <DeleteDialog model={model} name={name} onClose={show(null)} />}
    </div>
  );
}

/** Browsers allow clipboard access on secure origins only. Elsewhere users copy the address bar. */
async function copyAddress(): Promise<void> {
  try {
    await navigator.clipboard.writeText(location.href);
    notify("Link copied. It holds the model, its positions and its settings");
  } catch {
    notify("This browser blocks copying here. Copy the link from the address bar.", "failed");
  }
}
