import * as disposition from "content-disposition";

/** The types that TypeScript finds are those of another version, which has no default export. */
const contentDisposition = (disposition as unknown as { default: Create }).default;
type Create = (name: string, options: { fallback: string }) => string;

const MAX_LENGTH = 80;

/**
 * `Content-Disposition` of a download. The file is named after the model, with the letters of all
 * scripts: `filename*` has them, and `filename` has the ASCII ones for old clients.
 */
export function attachment(name: string, extension: string): string {
  const kept = stemOf(name, /[^\p{L}\p{M}\p{N}_-]+/gu);
  const plain = stemOf(name.normalize("NFKD"), /[^A-Za-z0-9_-]+/g);
  return contentDisposition(`${kept}.${extension}`, { fallback: `${plain}.${extension}` });
}

function stemOf(name: string, others: RegExp): string {
  const stem = name.replace(others, "_").replace(/^_+|_+$/g, "");
  return Array.from(stem).slice(0, MAX_LENGTH).join("") || "model";
}
