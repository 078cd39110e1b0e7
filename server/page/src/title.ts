import { useEffect } from "preact/hooks";

/** Sets the window's title while the component is mounted. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Small DataSet Audio`;
  }, [title]);
}
