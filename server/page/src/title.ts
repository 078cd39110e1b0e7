import { useEffect } from "preact/hooks";

/** The window's title while the component is there. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Small DataSet Audio`;
  }, [title]);
}
