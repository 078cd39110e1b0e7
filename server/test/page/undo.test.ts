import { expect, test } from "vitest";
import { begin, redo, step, undo } from "../../page/src/model/undo.js";

test("steps are taken back and taken again, in order", () => {
  let history = step(step(begin("a"), "b"), "c");
  history = undo(undo(history));
  expect(history.present).toBe("a");
  history = redo(redo(history));
  expect(history.present).toBe("c");
});

test("a new step forgets what had been undone", () => {
  const history = step(undo(step(begin("a"), "b")), "c");
  expect(redo(history)).toBe(history);
  expect(undo(history).present).toBe("a");
});

test("where there is nothing to undo or redo, the history stays as it is", () => {
  const history = begin("a");
  expect(undo(history)).toBe(history);
  expect(redo(history)).toBe(history);
});

test("it does not grow without end", () => {
  let history = begin(0);
  for (let i = 1; i <= 1000; i++) history = step(history, i);
  expect(history.past.length).toBeLessThanOrEqual(200);
  expect(undo(history).present).toBe(999);
});

test("a step to 0 is one like any other", () => {
  expect(undo(step(begin(0), 1)).present).toBe(0);
});
