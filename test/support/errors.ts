import { expect } from "vitest";
import { SdaError } from "../../lib/base/errors.js";

/** What `action` throws, or rejects with, which must be an SdaError; its code, message and details. */
export async function sdaError(action: () => unknown): Promise<SdaError> {
  try {
    await action();
  } catch (error) {
    expect(error).toBeInstanceOf(SdaError);
    return error as SdaError;
  }
  throw new Error("expected an SdaError, but nothing was thrown");
}
