import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

interface FileDropProps {
  /** Text shown during a drag; null while the page accepts no files */
  invitation: string | null;
  onFiles: (files: File[]) => void;
}

/**
 * Accepts files dropped anywhere in the window. Each page with a FileDrop also has a button that
 * does the same. Drops that are not accepted are cancelled: the browser would open the file and
 * leave the page.
 */
export function FileDrop({ invitation, onFiles }: FileDropProps) {
  const isOver = useSignal(false);
  useEffect(() => {
    // Every element under the pointer fires its own "dragenter" and "dragleave": count the depth.
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
