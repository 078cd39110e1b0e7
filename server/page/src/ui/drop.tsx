import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";

interface DropProps {
  /** What dropping does, in words; null where files can't be dropped now */
  invitation: string | null;
  onFiles: (files: File[]) => void;
  children: ComponentChildren;
}

/** A place for files. Every such place has a button that does the same, for those who don't drag. */
export function Drop({ invitation, onFiles, children }: DropProps) {
  const over = useSignal(false);
  // Each child that the pointer enters is one more "enter", and later one more "leave".
  const depth = useRef(0);
  const carriesFiles = (event: DragEvent) =>
    invitation !== null && event.dataTransfer?.types.includes("Files") === true;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: a button does the same
    <div
      class={over.value ? "drop is-over" : "drop"}
      onDragEnter={(event) => {
        if (!carriesFiles(event)) return;
        depth.current++;
        over.value = true;
      }}
      onDragLeave={(event) => {
        if (!carriesFiles(event)) return;
        depth.current--;
        over.value = depth.current > 0;
      }}
      onDragOver={(event) => carriesFiles(event) && event.preventDefault()}
      onDrop={(event) => {
        depth.current = 0;
        over.value = false;
        if (!carriesFiles(event)) return;
        event.preventDefault();
        onFiles([...(event.dataTransfer?.files ?? [])]);
      }}
    >
      {children}
      {over.value && <p class="drop-hint">{invitation}</p>}
    </div>
  );
}
