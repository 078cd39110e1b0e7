import { expect, test } from "vitest";
import { asProblem, isAbort, problemOf, unreachable } from "../../page/src/problem.js";

const body = (fields: object) => JSON.stringify({ type: "about:blank", ...fields });

test("the server's words are shown as they are", () => {
  const detail = "The file asks for something that is not safe, and was refused.";
  const problem = problemOf(422, body({ code: "ERR_SDA_UNSAFE", detail, title: "Refused" }));
  expect(problem).toMatchObject({ status: 422, code: "ERR_SDA_UNSAFE", message: detail });
});

test("with the field at fault, unless they name it", () => {
  const wrong = (detail: string) => problemOf(400, body({ detail, option: "durationS" })).message;
  expect(wrong("A value is not what is expected.")).toBe(
    "A value is not what is expected. (durationS)",
  );
  expect(wrong("durationS must be a number.")).toBe("durationS must be a number.");
});

test.each([
  ["no JSON", "<html>Bad gateway</html>"],
  ["nothing", ""],
  ["no object", "null"],
  ["without words", "{}"],
  ["of another shape", '{"detail":{"a":1}}'],
])("an answer that is %s is told by its status", (_, text) => {
  expect(problemOf(502, text).message).toMatch(/behind its proxy/);
  expect(problemOf(418, text).message).toBe("The server answered with status 418.");
});

test("no answer has words, too", () => {
  expect(unreachable().message).toMatch(/does not answer/);
  expect(asProblem(new TypeError("x is undefined")).message).toBe("x is undefined");
  expect(asProblem("thrown").message).toBe("thrown");
});

test("an abort is no problem", () => {
  expect(isAbort(new DOMException("stopped", "AbortError"))).toBe(true);
  expect(isAbort(unreachable())).toBe(false);
});
