import { useSignal } from "@preact/signals";
import { notify } from "../notices.js";
import { asProblem, type Problem } from "../problem.js";
import { go, libraryAddress } from "../route.js";
import { Dialog } from "../ui/dialog.js";
import type { OpenModel } from "./load.js";

interface DeleteDialogProps {
  model: OpenModel;
  name: string;
  onClose: () => void;
}

export function DeleteDialog({ model, name, onClose }: DeleteDialogProps) {
  const problem = useSignal<Problem | null>(null);
  const busy = useSignal(false);
  const remove = async () => {
    busy.value = true;
    try {
      await model.delete();
      notify(`Deleted ${name}`);
      go(libraryAddress());
    } catch (error) {
      problem.value = asProblem(error);
      busy.value = false;
    }
  };
  return (
    <Dialog title="Delete this model?" onClose={onClose}>
      <p>
        This deletes <strong>{name}</strong> and its file from the server. You cannot undo it.
      </p>
      {problem.value && (
        <p class="error" role="alert">
          {problem.value.message}
        </p>
      )}
      <p class="row end">
        <button type="button" onClick={onClose}>
          Cancel
        </button>
        <button type="button" class="primary danger" disabled={busy.value} onClick={remove}>
          {busy.value ? "Deleting…" : "Delete"}
        </button>
      </p>
    </Dialog>
  );
}
