// node state-dict.mjs FILE.pt: lists the tensors of a torch.save file, without Python or LibTorch
import { load, Tensor } from "small-dataset-audio/torch";

/** Yields every tensor in `value` with its path of keys. */
function* tensorsOf(value, name = "", seen = new Set()) {
  if (value instanceof Tensor) yield [name, value];
  if (typeof value !== "object" || value === null || seen.has(value)) return;
  seen.add(value);
  const entries = value instanceof Map || Array.isArray(value) ? value.entries() : [];
  for (const [key, item] of entries)
    yield* tensorsOf(item, name ? `${name}.${key}` : `${key}`, seen);
}

const [path] = process.argv.slice(2);
for (const [name, { dtype, shape, data }] of tensorsOf(await load(path)))
  console.log(name || "(the file itself)", dtype, `[${shape.join(", ")}]`, data.slice(0, 3));
