import { answerToken, token } from "../token.js";
import { Dialog } from "./dialog.js";

/** Asks for the token that the server requires for changes. */
export function TokenDialog() {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement).get("token");
    answerToken(String(given).trim());
  };
  return (
    <Dialog title="Token" onClose={() => answerToken(null)}>
      <form onSubmit={submit}>
        <p>
          Adding, changing and deleting models on this server needs a token. <code>sda serve</code>{" "}
          prints it when it starts. The token is kept until this tab is closed.
        </p>
        <label class="field">
          Token
          <input name="token" type="password" autocomplete="off" required value={token.value} />
        </label>
        <p class="row end">
          {token.value !== "" && (
            <button type="button" class="quiet" onClick={() => answerToken("")}>
              Forget token
            </button>
          )}
          <button type="button" onClick={() => answerToken(null)}>
            Cancel
          </button>
          <button type="submit" class="primary">
            Use token
          </button>
        </p>
      </form>
    </Dialog>
  );
}
