import { modelAddress } from "../route.js";
import { canWrite } from "../session.js";
import { FileButton } from "../ui/file-button.js";
import { FileDrop } from "../ui/file-drop.js";
import { Icon } from "../ui/icons.js";
import { Link } from "../ui/link.js";
import { dismissUpload, type Upload, upload, uploads } from "./uploads.js";

export function UploadDrop() {
  return (
    <FileDrop invitation={canWrite.value ? "Drop to add to the library" : null} onFiles={upload} />
  );
}

export function UploadButton() {
  return (
    <FileButton
      class="primary"
      accept=".sda,.distill,.distillgan,.pt,.pth"
      multiple
      onFiles={upload}
    >
      <Icon name="upload" />
      Add model
    </FileButton>
  );
}

export function Uploads() {
  if (uploads.value.length === 0) return null;
  return (
    <section aria-label="Uploads">
      <ul class="uploads">
        {uploads.value.map((entry) => (
          <li key={entry.id} class={entry.state}>
            <Row entry={entry} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Row({ entry }: { entry: Upload }) {
  const { id, name, state, share, failure, model } = entry;
  const isUnderWay = state === "waiting" || state === "sending" || state === "reading";
  return (
    <>
      <div class="upload-text">
        <strong>{name}</strong>
        <span class="muted">{describe(entry)}</span>
        {state === "failed" && <span class="error">{failure}</span>}
        {isUnderWay && (
          <progress
            aria-label={`Upload of ${name}`}
            max={1}
            {...(state === "sending" && { value: share })}
          />
        )}
      </div>
      {model && <Link to={modelAddress(model.modelId)}>Open {model.name}</Link>}
      <button type="button" class="quiet" onClick={() => dismissUpload(id)}>
        {isUnderWay ? "Cancel" : "Dismiss"}
        <span class="visually-hidden"> {name}</span>
      </button>
    </>
  );
}

function describe({ state, share }: Upload): string {
  switch (state) {
    case "waiting":
      return "Waiting for the previous upload";
    case "sending":
      return `${Math.round(share * 100)} % sent`;
    case "reading":
      return "Sent. The server checks and saves the file";
    case "done":
      return "Added";
    case "failed":
      return "Not added";
  }
}
