/** A file as a person names it on the command line: a path, or the address of one on the web. */
export function sourceOf(text: string): string | URL {
  return /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : text;
}

export const SOURCE_HELP = "a path, or an http(s) address, of which only parts are fetched";
