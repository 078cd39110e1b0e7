import { useId } from "preact/hooks";
import { parseSeed } from "./settings.js";

interface SeedInputProps {
  label: string;
  /** null: no seed chosen yet */
  value: number | null;
  onSeed: (seed: number) => void;
}

/** A text field for a seed. Invalid input is replaced by the previous value. */
export function SeedInput({ label, value, onSeed }: SeedInputProps) {
  const id = useId();
  const text = value === null ? "" : String(value);
  const take = (input: HTMLInputElement) => {
    const seed = parseSeed(input.value.trim());
    if (seed === null) input.value = text;
    else onSeed(seed);
  };
  return (
    <>
      <label for={id}>{label}</label>
      <input
        id={id}
        class="seed"
        type="text"
        inputMode="numeric"
        autocomplete="off"
        spellcheck={false}
        value={text}
        onChange={({ currentTarget }) => take(currentTarget)}
      />
    </>
  );
}
