import { useSignal } from "@preact/signals";
import { getSound } from "../api.js";
import { fileName } from "../format.js";
import { notify } from "../notices.js";
import { asProblem } from "../problem.js";
import type { Made } from "../sound/made.js";
import type { BitDepth } from "../types.js";
import { Icon } from "../ui/icons.js";
import type { Desk } from "./desk.js";

const DEPTHS: readonly { depth: BitDepth; text: string }[] = [
  { depth: 16, text: "16 bit" },
  { depth: 24, text: "24 bit" },
  { depth: 32, text: "32 bit float" },
];

/** Downloads the full sound as a WAV file. Renders it first if positions or settings changed. */
export function Download({ desk, name }: { desk: Desk; name: string }) {
  const depth = useSignal<BitDepth>(24);
  const busy = useSignal(false);
  const download = async () => {
    busy.value = true;
    try {
      const made = desk.isCurrent.peek() ? desk.made.peek() : await desk.makeFull({ play: false });
      if (made === null) return; // cancelled, or the sound panel shows the error
      const wav = await fetchAgain(desk, made, depth.peek());
      if (wav !== null) save(wav, fileName(name, made.result.seed));
    } catch (error) {
      notify(`Download failed. ${asProblem(error).message}`, "failed");
    } finally {
      busy.value = false;
    }
  };
  return (
    <div class="row download">
      <button type="button" disabled={busy.value} onClick={() => void download()}>
        <Icon name="download" />
        Download WAV
      </button>
      <label>
        <span class="visually-hidden">Bit depth</span>
        <select
          value={depth.value}
          onChange={({ currentTarget }) => {
            depth.value = Number(currentTarget.value) as BitDepth;
          }}
        >
          {DEPTHS.map(({ depth, text }) => (
            <option key={depth} value={depth}>
              {text}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

/** Fetches the sound. If the server has dropped it, renders the same sound again first. */
async function fetchAgain(desk: Desk, made: Made, depth: BitDepth): Promise<ArrayBuffer | null> {
  try {
    return await getSound(made.result, depth);
  } catch (error) {
    if (asProblem(error).status !== 404) throw error;
    const again = await desk.makeFull({ play: false });
    return again && getSound(again.result, depth);
  }
}

function save(wav: ArrayBuffer, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([wav], { type: "audio/wav" }));
  link.download = name;
  link.click();
  // The browser has started the download by the next turn of the event loop.
  setTimeout(() => URL.revokeObjectURL(link.href));
}
