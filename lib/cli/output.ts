/** A stream that a command prints to: stdout, stderr or a test's stand-in. */
export interface Output {
  write(text: string): unknown;
  isTTY?: boolean;
  /** Width of the terminal */
  columns?: number;
}
