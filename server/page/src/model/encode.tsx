import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { encode } from "../api.js";
import { notify } from "../notices.js";
import { asProblem } from "../problem.js";
import type { ModelDetail } from "../types.js";
import { Drop } from "../ui/drop.js";
import { FileButton } from "../ui/file-button.js";
import { Icon } from "../ui/icons.js";
import type { Desk } from "./desk.js";

interface EncodeProps {
  desk: Desk;
  model: ModelDetail;
}

/** Why no sound can be turned into positions; null where it can. */
function hindrance({ hasAnalysis, hasEncoder }: ModelDetail): string | null {
  if (!hasEncoder) return "This model has no encoder: it can't listen to sounds";
  if (!hasAnalysis) return "This model has no sliders";
  return null;
}

/** A WAV file dropped anywhere on the page moves the sliders to what the model hears in it. */
export function EncodeDrop({
  desk,
  model,
  children,
}: EncodeProps & { children: ComponentChildren }) {
  const invitation =
    hindrance(model) === null ? "Drop a WAV file to find its slider positions" : null;
  return (
    <Drop invitation={invitation} onFiles={(files) => void moveTo(desk, files)}>
      {children}
    </Drop>
  );
}

export function EncodeButton({ desk, model }: EncodeProps) {
  const busy = useSignal(false);
  const reason = hindrance(model);
  if (reason !== null) return null;
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
      {busy.value ? "Listening…" : "From a WAV"}
    </FileButton>
  );
}

async function moveTo(desk: Desk, [file]: File[]): Promise<void> {
  if (file === undefined) return;
  try {
    const { positions, chunks } = await encode(desk.modelId, file, new AbortController().signal);
    if (positions === null) return notify("This model has no sliders to move", "failed");
    desk.set(positions);
    const more = chunks.length > 1 ? ` (the mean of its ${chunks.length} seconds)` : "";
    notify(`Sliders moved to what is nearest to ${file.name}${more}`);
  } catch (error) {
    notify(`${file.name}: ${asProblem(error).message}`, "failed");
  }
}
