import { useEffect } from "preact/hooks";
import { connection } from "./events.js";
import { LibraryPage } from "./library/library-page.js";
import { ModelPage } from "./model/model-page.js";
import { announce } from "./notices.js";
import { libraryAddress, modelId, moves } from "./route.js";
import { session } from "./session.js";
import { asking, token } from "./token.js";
import { Icon } from "./ui/icons.js";
import { Link } from "./ui/link.js";
import { Notices } from "./ui/notices.js";
import { TokenDialog } from "./ui/token-dialog.js";

const LOST =
  "The connection to the server is lost. This page may be out of date. " +
  "It reconnects every few seconds.";

export function App() {
  const id = modelId.value;
  useFocusOnMove();
  const isLost = connection.value === "lost";
  useEffect(() => {
    if (isLost) announce(LOST);
  }, [isLost]);
  return (
    <>
      {/* biome-ignore lint/a11y/useValidAnchor: the link and its handler both lead to #main */}
      <a class="skip" href="#main" onClick={skip}>
        Skip to content
      </a>
      <header class="site">
        <Link to={libraryAddress()} class="brand">
          <Mark />
          <span>
            Small DataSet <strong>Audio</strong>
          </span>
        </Link>
        {session.value?.tokenRequired && (
          <button type="button" class="quiet" onClick={() => (asking.value = true)}>
            <Icon name="key" />
            {token.value === "" ? "Enter token" : "Token"}
          </button>
        )}
      </header>
      {isLost && <p class="banner">{LOST}</p>}
      <main id="main" tabIndex={-1}>
        {id === null ? <LibraryPage key={moves.value} /> : <ModelPage key={moves.value} id={id} />}
      </main>
      <Notices />
      {asking.value && <TokenDialog />}
    </>
  );
}

/** Keeps `#main` out of the address and out of the browser's history. */
function skip(event: MouseEvent): void {
  event.preventDefault();
  const main = document.getElementById("main");
  main?.focus({ preventScroll: true });
  main?.scrollIntoView();
}

/** After navigation, moves the focus to the heading, where a screen reader starts reading. */
function useFocusOnMove(): void {
  const move = moves.value;
  useEffect(() => {
    if (move > 0) document.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
  }, [move]);
}

function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="7" />
      <path d="M6 13v6M11 8v16M16 11v10M21 6v20M26 13v6" />
    </svg>
  );
}
