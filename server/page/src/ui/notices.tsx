import { dismiss, notices, spoken } from "../notices.js";
import { Icon } from "./icons.js";

/** Visible and spoken messages. Both regions always exist: screen readers announce only changes. */
export function Notices() {
  return (
    <>
      <div class="notices" role="status" aria-live="polite">
        {notices.value.map(({ id, text, kind }) => (
          <div key={id} class={`notice ${kind}`}>
            <span>{text}</span>
            <button
              type="button"
              class="quiet icon-only"
              aria-label="Dismiss message"
              onClick={() => dismiss(id)}
            >
              <Icon name="close" />
            </button>
          </div>
        ))}
      </div>
      <div class="visually-hidden" aria-live="polite" data-testid="announcer">
        {spoken}
      </div>
    </>
  );
}
