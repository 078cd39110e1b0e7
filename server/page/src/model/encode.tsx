import { useSignal } from "@preact/signals";
import { useCallback } from "preact/hooks";
import { encode } from "../api.js";
import { notify } from "../notices.js";
import { asProblem } from "../problem.js";
import type { ModelDetail } from "../types.js";
import { FileButton } from "../ui/file-button.js";
import { FileDrop } from "../ui/file-drop.js";
import { Icon } from "../ui/icons.js";
import type { Desk } from "./desk.js";

interface EncodeProps {
  desk: Desk;
  model: ModelDetail;
}

/** Finding slider positions for a WAV file needs an encoder and sliders. */
function canListen({ hasAnalysis, hasEncoder }: ModelDetail): boolean {
  return hasEncoder && hasAnalysis;
}

/** A WAV file dropped on the page moves the sliders to the nearest positions. */
export function EncodeDrop({ desk, model }: EncodeProps) {
  const onFiles = useCallback((files: File[]) => void moveTo(desk, files), [desk]);
  const invitation = canListen(model) ? "Drop a WAV file to find its slider positions" : null;
  return <FileDrop invitation={invitation} onFiles={onFiles} />;
}

export function EncodeButton({ desk, model }: EncodeProps) {
  const busy = useSignal(false);
  if (!canListen(model)) return null;
  return (
    <FileButton
      class="quiet"
      accept=".wav,audio/wav"
      disabled={busy.value}
      onFiles={async (files) => {
        busy.value = true;
        await moveTo(desk, files);
        busy.value = false;
      }}
    >
      <Icon name="upload" />
      {busy.value ? "Analysing…" : "Match a WAV"}
    </FileButton>
  );
}

async function moveTo(desk: Desk, [file]: File[]): Promise<void> {
  if (file === undefined) return;
  try {
    const { positions, chunks } = await encode(desk.modelId, file, new AbortController().signal);
    if (positions === null) return notify("This model has no sliders", "failed");
    desk.set(positions);
    const more = chunks.length > 1 ? ` (mean of ${chunks.length} one-second chunks)` : "";
    notify(`Sliders moved to the nearest match for ${file.name}${more}`);
  } catch (error) {
    notify(`${file.name}: ${asProblem(error).message}`, "failed");
  }
}
