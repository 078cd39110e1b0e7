import { show } from "../base/brief.js";
import { SdaError } from "../base/errors.js";
import { isMap } from "../base/realm.js";
import { Fields, toNumber } from "./fields.js";

/** The value of "format" in every model file. */
export const FORMAT = "sda_model";
/** The newest supported version, of the file's format and of the analysis's. */
export const FORMAT_VERSION = 1;

/**
 * Checks that the content is a model file of a supported version.
 *
 * @returns the top-level dict
 * @throws SdaError ERR_SDA_FORMAT, ERR_SDA_VERSION, ERR_SDA_SCHEMA
 */
export function parseHeader(content: unknown, path: string): Fields {
  const format = isMap(content) ? content.get("format") : undefined;
  if (!isMap(content) || format !== FORMAT) {
    const found = isMap(content) ? `its format is ${show(format)}` : "its content is not a dict";
    throw new SdaError("ERR_SDA_FORMAT", `${path} is not a model file: ${found}`, {
      path,
      field: "format",
    });
  }
  const top = new Fields(content, path, "");
  checkVersion(top, "version", "version", 0, path);
  return top;
}

/**
 * Reads the version under `key` and refuses one that is newer than supported. An unsafe integer
 * such as 10^30 is also a newer version, not a wrong value.
 */
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
