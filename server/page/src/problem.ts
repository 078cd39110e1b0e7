/** What went wrong, in words for a person: the server's problem+json has the facts, this has the sentences. */

interface ProblemBody {
  title?: string;
  detail?: string;
  code?: string;
  option?: string;
}

/** A request that failed. `message` is a sentence to show. */
export class Problem extends Error {
  /** 0 when no answer came */
  readonly status: number;
  readonly code: string;
  /** The field at fault, where the server names one */
  readonly option: string | undefined;

  constructor(status: number, code: string, message: string, option?: string) {
    super(message);
    this.name = "Problem";
    this.status = status;
    this.code = code;
    this.option = option;
  }
}

const BY_CODE: Record<string, string> = {
  ERR_SDA_LIBTORCH: "This server can list models but not play them: its sound engine is missing.",
  ERR_SDA_NATIVE: "The server's sound engine failed.",
  ERR_SDA_UNSAFE: "The file was refused, because it holds code that a model has no need of.",
  ERR_SDA_FORMAT: "That is not a model file.",
  ERR_SDA_CORRUPT: "The file is damaged.",
  ERR_SDA_VERSION: "The file was written by a newer program than this server can read.",
  ERR_SDA_SCHEMA: "The file is no complete model.",
  ERR_SDA_LIMIT: "That is more than the server allows.",
  ERR_SDA_DEVICE: "The server cannot use the device it was told to use.",
  ERR_SDA_LOCKED: "Another program is writing to the library. Try again in a moment.",
  ERR_SDA_IO: "The server cannot reach its models folder.",
};

const BY_STATUS: Record<number, string> = {
  401: "The server wants a token before it changes anything.",
  403: "The server does not allow changes from here.",
  404: "There is no such thing on the server any more.",
  412: "Someone else has changed this model in the meantime.",
  413: "The file is larger than the server accepts.",
  415: "The server does not take this kind of file.",
  429: "The server is busy. Try again in a moment.",
  503: "The server is not able to do this at the moment.",
  507: "The server's disk is full.",
};

/** The problem of an answer that isn't a success; `body` is its text, of any kind. */
export function problemOf(status: number, body: string): Problem {
  const { title, detail, code = `HTTP_${status}`, option } = parse(body);
  const general = BY_CODE[code] ?? BY_STATUS[status];
  // A wrong argument is best told in the server's own words; elsewhere they are the second sentence.
  const words = [general, detail ?? (general === undefined ? title : undefined)]
    .filter((part): part is string => part !== undefined && part !== "")
    .map(sentence);
  const message = words.length > 0 ? words.join(" ") : `The server answered with status ${status}.`;
  return new Problem(status, code, message, option);
}

/** No answer at all. */
export function unreachable(): Problem {
  return new Problem(0, "UNREACHABLE", "The server does not answer. Is it still running?");
}

/** Whatever was thrown, as a problem. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem(0, "PAGE", error instanceof Error ? error.message : String(error));
}

export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

function parse(body: string): ProblemBody {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === "object" && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}

function sentence(text: string): string {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}
