/** Formats numbers and dates for display. */
const whole = new Intl.NumberFormat("en");

export function count(n: number, one: string, many = `${one}s`): string {
  return `${whole.format(n)} ${n === 1 ? one : many}`;
}

export function bytes(n: number): string {
  if (n < 1000) return `${n} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = n / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** Duration of a sound: "4.2 s" up to a minute, "1:01 min" beyond. */
export function seconds(s: number): string {
  if (s <= 60) return `${Number(s.toFixed(1))} s`;
  const minutes = Math.floor(s / 60);
  return `${minutes}:${String(Math.floor(s % 60)).padStart(2, "0")} min`;
}

/** Duration of a dataset: seconds, minutes or hours. */
export function duration(s: number | null): string {
  if (s === null) return "unknown";
  if (s < 60) return seconds(s);
  const minutes = Math.round(s / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Which version of the program wrote a model: "distillgan with hifigan_v2". */
export function generationLabel(generation: string, vocoder: { type: string } | null): string {
  return vocoder === null ? generation : `${generation} with ${vocoder.type}`;
}

export function hertz(rate: number): string {
  return `${Number((rate / 1000).toFixed(2))} kHz`;
}

/** The day of an ISO date. "" gives "unknown"; text that is not a date is returned unchanged. */
export function day(iso: string): string {
  if (iso === "") return "unknown";
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  return date.toLocaleDateString("en-GB", {
    day: "numeric",
    month: "short",
    year: "numeric",
    timeZone: "UTC",
  });
}

/** A percentage; NaN, from a file with an invalid value, gives "unknown". */
export function percent(p: number): string {
  if (Number.isNaN(p)) return "unknown";
  return `${p < 10 ? p.toFixed(1) : Math.round(p)} %`;
}

/**
 * A training loss. A model without training data has 0 epochs and a loss of 0: "unknown".
 * null stands for NaN and infinity, which JSON cannot hold.
 */
export function loss(value: number | null, epochs: number): string {
  return value === null || epochs === 0 ? "unknown" : String(Number(value.toPrecision(3)));
}

export function number(n: number): string {
  return whole.format(n);
}

/** Turns Python's feature name "spectral_centroid" into "spectral centroid". */
export function featureName(name: string): string {
  return name.replaceAll("_", " ");
}

/** A download's file name, made of characters that every file system accepts. */
export function fileName(name: string, seed: number): string {
  const stem = name
    .normalize("NFKD")
    .replace(/[^A-Za-z0-9_-]+/g, "_")
    .replace(/^_+|_+$/g, "");
  return `${stem === "" ? "sound" : stem.slice(0, 80)}_seed${seed}.wav`;
}
