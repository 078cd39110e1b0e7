import { expect, test } from "vitest";
import { asProblem, isAbort, problemOf, unreachable } from "../../page/src/problem.js";

const body = (fields: object) => JSON.stringify({ type: "about:blank", ...fields });

test("shows the server's text unchanged", () => {
  const detail = "Blocked: this file tries to run code (`commands.getoutput`).";
  const problem = problemOf(422, body({ code: "ERR_SDA_UNSAFE", detail, title: "Refused" }));
  expect(problem).toMatchObject({ status: 422, code: "ERR_SDA_UNSAFE", message: detail });
});

test("adds the field at fault, unless the text names it", () => {
  const wrong = (detail: string) => problemOf(400, body({ detail, option: "durationS" })).message;
  expect(wrong("A value is invalid.")).toBe("A value is invalid. (durationS)");
  expect(wrong("durationS must be a number.")).toBe("durationS must be a number.");
});

test.each([
  ["not JSON", "<html>Bad gateway</html>"],
  ["empty", ""],
  ["not an object", "null"],
  ["without a text", "{}"],
  ["of another shape", '{"detail":{"a":1}}'],
])("a response that is %s is described by its status", (_, text) => {
  expect(problemOf(502, text).message).toMatch(/proxy cannot reach the server/);
  expect(problemOf(418, text).message).toBe("The server responded with status 418.");
});

test("errors without a response have a text", () => {
  expect(unreachable().message).toMatch(/does not respond/);
  expect(asProblem(new TypeError("x is undefined")).message).toBe("x is undefined");
  expect(asProblem("thrown").message).toBe("thrown");
});

test("recognises an abort", () => {
  expect(isAbort(new DOMException("stopped", "AbortError"))).toBe(true);
  expect(isAbort(unreachable())).toBe(false);
});
