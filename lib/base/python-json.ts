/**
 * JSON as Python's `json` module reads and writes it. It differs from JavaScript's JSON: NaN and
 * the infinities are allowed, ints and floats are different types, ints have any length, and floats
 * are written differently ("1e-05", "1e+16", "0.0").
 */

/** An int is a bigint and a float is a number, so that each is written back with its own type. */
export type PyValue = null | boolean | bigint | number | string | PyValue[] | PyDict;
/** In order of insertion. If a key repeats, its last value counts, in the first one's place. */
export type PyDict = Map<string, PyValue>;

/** The limit of Python's `int()` as well. */
const MAX_INT_DIGITS = 4300;
/** Bounds the time for a damaged index. 80,000 entries have 1.4 million values. */
const MAX_VALUES = 3_000_000;
/** Python's recursion limit is 1000 calls, of which the calling program uses some. */
const MAX_DEPTH = 990;

export class PythonJsonError extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(`${message} at character ${offset}`);
    this.offset = offset;
  }
}

/** The text has more values than the parser accepts. */
export class PythonJsonLimit extends PythonJsonError {}

/** @throws PythonJsonError where `json.loads` raises */
export function parsePythonJson(text: string): PyValue {
  const parser = new PythonJsonParser(text);
  const value = parser.value(0);
  parser.end();
  return value;
}

/**
 * A recursive descent parser. Exported, because `index-file.ts` parses the index member by member.
 */
export class PythonJsonParser {
  readonly text: string;
  position = 0;
  #values = 0;

  constructor(text: string) {
    this.text = text;
  }

  fail(expected: string): never {
    throw new PythonJsonError(`expected ${expected}`, this.position);
  }

  space(): void {
    // A local variable is several times as fast as a field: a damaged index may be one long blank.
    const { text } = this;
    let at = this.position;
    for (;;) {
      const code = text.charCodeAt(at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) break;
      at++;
    }
    this.position = at;
  }

  end(): void {
    this.space();
    if (this.position < this.text.length) this.fail("the end of the text");
  }

  /** Moves past `literal` if it comes next. */
  take(literal: string): boolean {
    if (!this.text.startsWith(literal, this.position)) return false;
    this.position += literal.length;
    return true;
  }

  value(depth: number): PyValue {
    this.space();
    if (++this.#values > MAX_VALUES) {
      throw new PythonJsonLimit(`more than ${MAX_VALUES} values`, this.position);
    }
    if (depth > MAX_DEPTH) this.fail(`at most ${MAX_DEPTH} levels of nesting`);
    switch (this.text[this.position]) {
      case '"':
        return this.string();
      case "{": {
        const dict: PyDict = new Map();
        this.members((key) => {
          dict.set(key, this.value(depth + 1));
        });
        return dict;
      }
      case "[":
        return this.list(depth);
    }
    if (this.take("null")) return null;
    if (this.take("true")) return true;
    if (this.take("false")) return false;
    if (this.take("NaN")) return Number.NaN;
    if (this.take("Infinity")) return Number.POSITIVE_INFINITY;
    if (this.take("-Infinity")) return Number.NEGATIVE_INFINITY;
    return this.number();
  }

  /**
   * Parses an object. Calls `member` after each colon with the key and the position where the key
   * starts; `member` must move past the value.
   */
  members(member: (key: string, start: number) => void): void {
    if (!this.take("{")) this.fail("an object");
    this.space();
    if (this.take("}")) return;
    do {
      this.space();
      if (this.text[this.position] !== '"') this.fail("a key in double quotes");
      const start = this.position;
      const key = this.string();
      this.space();
      if (!this.take(":")) this.fail("a colon");
      member(key, start);
      this.space();
    } while (this.take(","));
    if (!this.take("}")) this.fail("a comma or a closing brace");
  }

  list(depth: number): PyValue[] {
    const list: PyValue[] = [];
    this.position++;
    this.space();
    if (this.take("]")) return list;
    do {
      list.push(this.value(depth + 1));
      this.space();
    } while (this.take(","));
    if (!this.take("]")) this.fail("a comma or a closing bracket");
    return list;
  }

  string(): string {
    const start = this.position++;
    for (;;) {
      const code = this.text.charCodeAt(this.position);
      if (code === 0x22) break;
      if (Number.isNaN(code)) this.fail("the end of a string");
      this.position += code === 0x5c ? 2 : 1;
    }
    this.position++;
    try {
      // Python and JavaScript agree on strings.
      return JSON.parse(this.text.slice(start, this.position));
    } catch {
      this.position = start;
      return this.fail("a valid string");
    }
  }

  number(): bigint | number {
    NUMBER.lastIndex = this.position;
    const found = NUMBER.exec(this.text);
    if (!found) return this.fail("a value");
    const [literal, fraction] = found;
    if (fraction === "" && literal.length > MAX_INT_DIGITS) {
      this.fail(`an int of at most ${MAX_INT_DIGITS} digits`);
    }
    this.position += literal.length;
    return fraction === "" ? BigInt(literal) : Number(literal);
  }
}

const NUMBER = /-?(?:0|[1-9][0-9]*)((?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)/y;

/**
 * Writes a value as `json.dumps(value, indent=2)` does.
 *
 * @param depth of nesting, which indents all lines but the first
 */
export function writePythonJson(value: PyValue, depth = 0): string {
  if (value === null) return "null";
  switch (typeof value) {
    case "boolean":
    case "bigint":
      return String(value);
    case "number":
      return pythonFloat(value);
    case "string":
      return pythonString(value);
  }
  const inner = `\n${"  ".repeat(depth + 1)}`;
  const outer = `\n${"  ".repeat(depth)}`;
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    const items = value.map((item) => writePythonJson(item, depth + 1));
    return `[${inner}${items.join(`,${inner}`)}${outer}]`;
  }
  if (value.size === 0) return "{}";
  const items = [...value].map(
    ([key, item]) => `${pythonString(key)}: ${writePythonJson(item, depth + 1)}`,
  );
  return `{${inner}${items.join(`,${inner}`)}${outer}}`;
}

/** Printable ASCII without the quote and the backslash: characters that need no escape. */
const PLAIN = /^[ !#-[\]-~]*$/;
const SHORT: Record<string, string> = {
  '"': '\\"',
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\b": "\\b",
  "\f": "\\f",
};

/**
 * Writes a string as Python does with `ensure_ascii`: each UTF-16 unit beyond ASCII is an escape. A
 * lone surrogate therefore stays itself.
 */
export function pythonString(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  const escaped = text.replace(
    /[^ !#-[\]-~]/g,
    (unit) => SHORT[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `"${escaped}"`;
}

/**
 * Writes a float as Python's `json` does (`float.__repr__`). Python and JavaScript both print the
 * fewest digits that read back as the same number. But Python uses an exponent below 1e-4 and from
 * 1e16 on, and the exponent has two digits at least.
 */
export function pythonFloat(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "Infinity" : "-Infinity";
  if (Object.is(value, -0)) return "-0.0";
  const [mantissa = "", power = "0"] = value.toExponential().split("e");
  const exponent = Number(power);
  if (value !== 0 && (exponent < -4 || exponent >= 16)) {
    const digits = String(Math.abs(exponent)).padStart(2, "0");
    return `${mantissa}e${exponent < 0 ? "-" : "+"}${digits}`;
  }
  // JavaScript writes numbers from 1e-6 to 1e21 without an exponent, so `text` has none here.
  const text = String(value);
  return text.includes(".") ? text : `${text}.0`;
}
