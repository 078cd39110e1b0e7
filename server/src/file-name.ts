const MAX_LENGTH = 80;

/** A file name for a download: the ASCII letters and digits of a model's name. */
export function fileName(name: string, extension: string): string {
  const plain = name
    .normalize("NFKD")
    .replace(/[^A-Za-z0-9_-]+/g, "_")
    .replace(/^_+|_+$/g, "")
    .slice(0, MAX_LENGTH);
  return `${plain || "model"}.${extension}`;
}
