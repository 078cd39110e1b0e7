import { expect, test } from "vitest";
import { asProblem, isAbort, problemOf, unreachable } from "../../page/src/problem.js";

const body = (fields: object) => JSON.stringify({ type: "about:blank", ...fields });

test("a known code is a sentence of the page's own, then the server's", () => {
  const { message, code, status } = problemOf(
    422,
    body({ code: "ERR_SDA_UNSAFE", detail: "os.system is not allowed", title: "Refused" }),
  );
  expect(message).toMatch(/^The file was refused.* Os\.system is not allowed\.$/);
  expect([code, status]).toEqual(["ERR_SDA_UNSAFE", 422]);
});

test("a wrong argument is told in the server's words, with the field", () => {
  const problem = problemOf(
    400,
    body({ code: "ERR_SDA_ARGUMENT", detail: "durationS must be a number", option: "durationS" }),
  );
  expect(problem.message).toBe("DurationS must be a number.");
  expect(problem.option).toBe("durationS");
});

test("an unknown code goes by its status", () => {
  expect(problemOf(429, body({ code: "ERR_NEW" })).message).toMatch(/busy/);
});

test.each([
  ["no JSON", "<html>Bad gateway</html>"],
  ["nothing", ""],
  ["no object", "null"],
])("an answer that is %s is told by its status", (_, text) => {
  expect(problemOf(502, text).message).toBe("The server answered with status 502.");
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
