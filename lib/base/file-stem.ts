const MAX_LENGTH = 100;
/** File systems allow 255 bytes, of which the seed, a number and the suffix need some. */
const MAX_BYTES = 200;
/** On Windows, a file with such a stem is the device, whatever its suffix. */
const DEVICE = /^(con|prn|aux|nul|com\d|lpt\d)$/;

/**
 * Makes the stem of a model file's name from the model's name, valid on this system. The Python
 * program makes the same stems, so letters beyond ASCII are lost; `soundStem` keeps them. Each
 * character outside `A-Za-z0-9_-` becomes `_`; runs of `_` become one; `_` at the ends is removed.
 * The stem is lower case and has at most 100 characters. An empty stem becomes "untitled". On
 * Windows, a stem that is the name of a device gets a "_", unlike in the Python program.
 */
export function fileStem(name: string, platform = process.platform): string {
  const stem = name
    .replace(/[^A-Za-z0-9_-]/gu, "_")
    .replace(/_+/g, "_")
    .replace(/^_|_$/g, "")
    .toLowerCase()
    .slice(0, MAX_LENGTH);
  if (stem === "") return "untitled";
  return platform === "win32" && DEVICE.test(stem) ? `${stem}_` : stem;
}

/**
 * Makes the stem of a sound file's name from a model's name. As `fileStem`, but it keeps the
 * letters, marks and digits of all scripts, composed (NFC). It has at most 100 characters and 200
 * bytes.
 */
export function soundStem(name: string): string {
  const stem = name
    .normalize("NFC")
    .toLowerCase()
    .normalize("NFC")
    .replace(/[^\p{L}\p{M}\p{N}_-]/gu, "_")
    .replace(/_+/g, "_")
    .replace(/^_|_$/g, "");
  let kept = "";
  let bytes = 0;
  for (const character of [...stem].slice(0, MAX_LENGTH)) {
    bytes += Buffer.byteLength(character);
    if (bytes > MAX_BYTES) break;
    kept += character;
  }
  return kept === "" ? "untitled" : kept;
}
