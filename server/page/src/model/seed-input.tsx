import { useId } from "preact/hooks";

interface SeedInputProps {
  label: string;
  /** null: no seed chosen yet */
  value: number | null;
  onSeed: (seed: number) => void;
}

/** Whole numbers from 0 to 2^53 - 1. Anything else is put back to what it was. */
export function SeedInput({ label, value, onSeed }: SeedInputProps) {
  const id = useId();
  const text = value === null ? "" : String(value);
  const take = (input: HTMLInputElement) => {
    const typed = input.value.trim();
    const seed = /^\d{1,16}$/.test(typed) ? Number(typed) : Number.NaN;
    if (Number.isSafeInteger(seed)) onSeed(seed);
    else input.value = text;
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
