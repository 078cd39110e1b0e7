import { announce } from "../notices.js";
import type { Desk } from "./desk.js";
import type { SlotName } from "./settings.js";

/** Switches between two sets of positions and settings, A and B, each with its own sound. */
export function AbSwitch({ desk }: { desk: Desk }) {
  const active = desk.active.value;
  const other: SlotName = active === "A" ? "B" : "A";
  return (
    <div class="row ab">
      <fieldset class="segments">
        <legend class="visually-hidden">Compare A and B</legend>
        {(["A", "B"] as const).map((name) => (
          <label key={name}>
            <input
              type="radio"
              name="slot"
              checked={active === name}
              onChange={() => desk.switchTo(name)}
            />
            <span>{name}</span>
          </label>
        ))}
      </fieldset>
      <button
        type="button"
        class="quiet"
        onClick={() => {
          desk.copyToOther();
          announce(`${other} is now a copy of ${active}`);
        }}
      >
        Copy to {other}
      </button>
    </div>
  );
}
