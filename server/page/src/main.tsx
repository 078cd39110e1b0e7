import { render } from "preact";
import { App } from "./app.js";
import { connect } from "./events.js";
import { fetchSession } from "./session.js";
import { takeTokenFromAddress } from "./token.js";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/library.css";
import "./styles/model.css";

takeTokenFromAddress();
// An open page gets a fragment when its address is entered again.
addEventListener("hashchange", () => {
  if (takeTokenFromAddress()) void fetchSession();
});
void fetchSession();
connect();
render(<App />, document.getElementById("app") as HTMLElement);
