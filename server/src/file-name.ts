const MAX_LENGTH = 80;

/** A name for a download, made from a name that people gave: plain letters, whatever the name has. */
export function fileName(name: string, extension: string): string {
  const plain = name
    .normalize("NFKD")
    .replace(/[^A-Za-z0-9_-]+/g, "_")
    .replace(/^_+|_+$/g, "")
    .slice(0, MAX_LENGTH);
  return `${plain || "model"}.${extension}`;
}
