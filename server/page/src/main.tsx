import { render } from "preact";
import { App } from "./app.js";
import { connect } from "./events.js";
import { fetchSession } from "./session.js";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/library.css";
import "./styles/model.css";

void fetchSession();
connect();
render(<App />, document.getElementById("app") as HTMLElement);
