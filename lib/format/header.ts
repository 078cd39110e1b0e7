import { show } from "../base/brief.js";
import { SdaError } from "../base/errors.js";
import { Fields, toNumber } from "./fields.js";

export const FORMAT = "sda_model";
/** Of the file and of the analysis in it: the newest that this code knows. */
export const FORMAT_VERSION = 1;

/** Checks that it is a model file of a version that this code knows. */
export function parseHeader(content: unknown, path: string): Fields {
  const format = content instanceof Map ? content.get("format") : undefined;
  if (!(content instanceof Map) || format !== FORMAT) {
    const found = content instanceof Map ? `its format is ${show(format)}` : "it holds no dict";
    throw new SdaError("ERR_SDA_FORMAT", `${path} is not a model file: ${found}`, {
      path,
      field: "format",
    });
  }
  const top = new Fields(content, path, "");
  checkVersion(top, "version", "version", 0, path);
  return top;
}

/** The version under `key`; refuses one that is newer than this code. Not clamped to safe integers: 10^30 is newer, too. */
export function checkVersion(
  fields: Fields,
  key: string,
  field: string,
  fallback: number,
  path: string,
): number {
  if (!fields.has(key)) return fallback;
  const version = toNumber(fields.get(key));
  if (!Number.isInteger(version) || version < 0) throw fields.error(key, "an int, 0 or more");
  if (version > FORMAT_VERSION) {
    throw new SdaError(
      "ERR_SDA_VERSION",
      `${field} of ${path} is ${version}, newer than supported (${FORMAT_VERSION})`,
      { path, field, version, supported: FORMAT_VERSION },
    );
  }
  return version;
}
