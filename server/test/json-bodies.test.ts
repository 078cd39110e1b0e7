/** JSON bodies: the first wrong field is named, and large bodies of nonsense are refused early. */
import { expect, test } from "vitest";
import { hasTooManyMembers } from "../src/json-members.js";
import { application, PLUCKS_ID, problemOf } from "./support.js";

const generate = (payload: string) => ({
  method: "POST" as const,
  url: `/api/models/${PLUCKS_ID}/generate`,
  headers: { "content-type": "application/json" },
  payload,
});

test.each([
  ["null", "null", undefined],
  ["a list", "[]", undefined],
  ["a text", '"durationS"', undefined],
  ["an unknown field", '{"seed":1,"duration":2}', "duration"],
  ["a field of Object", '{"toString":1}', "toString"],
  ["a very long name", `{"${"a".repeat(5000)}":1}`, "a".repeat(100)],
  ["a text for a number", '{"durationS":"1"}', "durationS"],
  ["a list for a number", '{"seed":[1]}', "seed"],
  ["a number out of range", '{"durationS":61}', "durationS"],
  ["a fraction for an integer", '{"seed":1.5}', "seed"],
  ["a fraction in a list of integers", '{"sliders":[0,0.5]}', "sliders.1"],
  ["a text in a list of numbers", '{"latent":[0,"0"]}', "latent.1"],
  ["an object for a list", '{"latent":{"0":1}}', "latent"],
  ["a too long list", `{"latent":[${Array(65_537).fill(0)}]}`, "latent"],
  ["an unknown field of a field", '{"spatial":{"mode":"mono","widht":1}}', "spatial.widht"],
  ["a field that is missing", '{"spatial":{"width":1}}', "spatial.mode"],
  ["a value that is none of the names", '{"joint":"none"}', "joint"],
])("%s is 400 and names the field", async (_, payload, option) => {
  const app = await application();
  const problem = await problemOf(app, generate(payload));
  expect([problem.status, problem.code]).toEqual([400, "ERR_SDA_ARGUMENT"]);
  expect(problem.option).toBe(option);
});

test.each([
  ["unknown fields", (fields: string) => `{${fields}}`],
  ["unknown fields of a field", (fields: string) => `{"spatial":{${fields}}}`],
  ["unknown fields of objects in a list", (fields: string) => `{"latent":[{${fields}}]}`],
])("120,000 %s are refused before they are parsed", async (_, body) => {
  const fields = Array.from({ length: 120_000 }, (_, i) => `"${i.toString(36)}":0`).join();
  const app = await application({ limits: { maxBodyBytes: 2 ** 21 } });
  const problem = await problemOf(app, generate(body(fields)));
  expect([problem.status, problem.detail]).toEqual([400, "The body has too many fields."]);
  // What does not end is not parsed either.
  const open = await problemOf(app, generate(body(fields).slice(0, -1)));
  expect(open).toEqual(problem);
});

test("colons and quotes in texts are no members", () => {
  const text = String.raw`\":{\"a\\\":1,`.repeat(1000);
  expect(hasTooManyMembers(`{"description":"${text}","name":"b"}`)).toBe(false);
  expect(JSON.parse(`{"description":"${text}"}`).description).toHaveLength(10_000);
  // A name may end in a backslash.
  const names = Array.from({ length: 101 }, (_, i) => `"${i}\\\\":0`);
  expect(hasTooManyMembers(`{${names}}`)).toBe(true);
  expect(hasTooManyMembers(`{${names.slice(1)}}`)).toBe(false);
});
