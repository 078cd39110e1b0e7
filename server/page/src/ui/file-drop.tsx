import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

interface FileDropProps {
  /** What dropping does, in words; null where files can't be dropped now */
  invitation: string | null;
  onFiles: (files: File[]) => void;
}

/**
 * All of the window as a place for files. Wherever it is, a button does the same, for those who don't drag. A file that is
 * not wanted is refused: the browser would open it, and leave the page.
 */
export function FileDrop({ invitation, onFiles }: FileDropProps) {
  const isOver = useSignal(false);
  useEffect(() => {
    // Each element that the pointer enters is one more "enter", and later one more "leave".
    let depth = 0;
    const carriesFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") === true;
    const count = (change: 1 | -1) => (event: DragEvent) => {
      if (!carriesFiles(event)) return;
      depth += change;
      isOver.value = depth > 0 && invitation !== null;
    };
    const listeners = {
      dragenter: count(1),
      dragleave: count(-1),
      dragover(event: DragEvent) {
        if (!carriesFiles(event)) return;
        event.preventDefault();
        if (event.dataTransfer)
          event.dataTransfer.dropEffect = invitation === null ? "none" : "copy";
      },
      drop(event: DragEvent) {
        depth = 0;
        isOver.value = false;
        if (!carriesFiles(event)) return;
        event.preventDefault();
        const files = [...(event.dataTransfer?.files ?? [])];
        if (invitation !== null && files.length > 0) onFiles(files);
      },
    };
    const names = Object.keys(listeners) as (keyof typeof listeners)[];
    for (const name of names) addEventListener(name, listeners[name]);
    return () => {
      for (const name of names) removeEventListener(name, listeners[name]);
    };
  }, [invitation, onFiles]);
  if (!isOver.value) return null;
  return (
    <div class="drop-target">
      <p>{invitation}</p>
    </div>
  );
}
