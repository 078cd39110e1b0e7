import { expect } from "vitest";
import { SdaError } from "../../lib/base/errors.js";

/** The SdaError that `action` throws or rejects with. Fails if there is none. */
export async function sdaError(action: () => unknown): Promise<SdaError> {
  try {
    await action();
  } catch (error) {
    expect(error).toBeInstanceOf(SdaError);
    return error as SdaError;
  }
  throw new Error("expected an SdaError, but nothing was thrown");
}
