import { expect, test } from "vitest";
import { begin, redo, step, undo } from "../../page/src/model/undo.js";

test("undo and redo go through the steps in order", () => {
  let history = step(step(begin("a"), "b"), "c");
  history = undo(undo(history));
  expect(history.present).toBe("a");
  history = redo(redo(history));
  expect(history.present).toBe("c");
});

test("a new step clears the steps to redo", () => {
  const history = step(undo(step(begin("a"), "b")), "c");
  expect(redo(history)).toBe(history);
  expect(undo(history).present).toBe("a");
});

test("without a step to undo or redo, the history is unchanged", () => {
  const history = begin("a");
  expect(undo(history)).toBe(history);
  expect(redo(history)).toBe(history);
});

test("the number of steps is limited", () => {
  let history = begin(0);
  for (let i = 1; i <= 1000; i++) history = step(history, i);
  expect(history.past.length).toBeLessThanOrEqual(200);
  expect(undo(history).present).toBe(999);
});

test("a step to 0 can be undone", () => {
  expect(undo(step(begin(0), 1)).present).toBe(0);
});
