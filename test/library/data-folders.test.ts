import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { dataFolders } from "../../lib/index.js";
import { dataFolder } from "../support/data-folder.js";
import { sdaError } from "../support/errors.js";
import { temporaryFolder } from "../support/folder.js";

const NAMES = ["models", "presets", "history", "generated", "datasets"];

describe("the folders of the data", () => {
  it("are those of config.toml, and otherwise those in the data folder", async () => {
    const data = dataFolder();
    const expected = {
      models: join(data, "models"),
      presets: join(data, "presets"),
      history: join(data, "../history"),
      generated: "/srv/generated",
      datasets: join(data, "sounds"),
    };
    expect(await dataFolders(data)).toEqual(expected);
    expect(await dataFolders(pathToFileURL(data))).toEqual(expected);
  });

  it.each(["", "[general]\nname = 'x'\n", "[paths]\nother = 3\n", undefined])(
    "have their standard names after %j",
    async (config) => {
      const data = temporaryFolder();
      if (config !== undefined) writeFileSync(join(data, "config.toml"), config);
      const expected = Object.fromEntries(NAMES.map((name) => [name, join(data, name)]));
      expect(await dataFolders(data)).toEqual(expected);
    },
  );

  it("are named although no folder exists", async () => {
    const none = join(temporaryFolder(), "none");
    expect((await dataFolders(none)).models).toBe(join(none, "models"));
  });

  const bad: [string, string | Uint8Array, string, string?][] = [
    ["no TOML", "[paths", "ERR_SDA_FORMAT"],
    ["not UTF-8", Uint8Array.of(0x61, 0xff), "ERR_SDA_FORMAT"],
    ["too deep", `a = ${"[".repeat(100_000)}`, "ERR_SDA_FORMAT"],
    ["too long", "#".repeat(2 ** 20 + 1), "ERR_SDA_LIMIT"],
    ["without a table of paths", "paths = 3", "ERR_SDA_SCHEMA", "paths"],
    ["with a list of paths", "paths = ['a']", "ERR_SDA_SCHEMA", "paths"],
    ["with a number for a path", "[paths]\nmodels = 3", "ERR_SDA_SCHEMA", "paths.models"],
    ["with an empty path", "[paths]\nhistory = ''", "ERR_SDA_SCHEMA", "paths.history"],
    ["with a NUL in a path", '[paths]\npresets = "a\\u0000"', "ERR_SDA_SCHEMA", "paths.presets"],
  ];
  it.each(bad)("are refused by a config.toml that is %s", async (_, config, code, field) => {
    const data = temporaryFolder();
    writeFileSync(join(data, "config.toml"), config);
    const error = await sdaError(() => dataFolders(data));
    expect([error.code, error.details?.["field"]]).toEqual([code, field]);
    expect(error.details?.["path"]).toBe(join(data, "config.toml"));
  });

  it("says the line of the mistake", async () => {
    const data = temporaryFolder();
    writeFileSync(join(data, "config.toml"), "[paths]\nmodels = 'a'\nmodels = 'b'\n");
    const { message, details } = await sdaError(() => dataFolders(data));
    expect(details).toMatchObject({ line: 3 });
    expect(message).toMatch(/config\.toml is no TOML file: line 3, column \d+: /);
  });

  it("are harmless with keys of the prototype", async () => {
    const data = temporaryFolder();
    writeFileSync(join(data, "config.toml"), "[paths.__proto__]\nmodels = 'evil'\n");
    expect((await dataFolders(data)).models).toBe(join(data, "models"));
    expect(({} as { models?: string }).models).toBeUndefined();
  });

  it("refuses config.toml as a folder", async () => {
    const data = temporaryFolder();
    mkdirSync(join(data, "config.toml"));
    expect((await sdaError(() => dataFolders(data))).code).toBe("ERR_SDA_FORMAT");
  });
});
