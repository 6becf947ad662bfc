// Questions to the reader, in one dialog; and short words of what came of it.
import { login, order, Refusal } from "./api.js";
import { h, show } from "./dom.js";
import { ask as askForBoard } from "./live.js";

const element = (id) => document.getElementById(id);
let clearing = null;

/** Say a sentence where eyes and ears find it; it goes away by itself. */
export function say(sentence, kind = "fine") {
  clearTimeout(clearing);
  show(element("said"), h(`p.${kind}`, null, sentence));
  clearing = setTimeout(() => show(element("said")), 9000);
}

/**
 * Ask something. `body` are elements, fields among them have names; `confirm` is the button's word.
 * Resolves to the fields' values, or null when the reader thought better of it.
 */
export function ask({ title, body, confirm, danger = false, refused = "" }) {
  const dialog = element("dialog");
  const form = h(
    "form",
    { method: "dialog", "aria-labelledby": "dialog-title" },
    h("h2", { id: "dialog-title" }, title),
    body,
    refused && h("p.bad", { role: "alert" }, refused),
    h(
      "div.buttons",
      null,
      h("button", { type: "submit", value: "no", formnovalidate: true }, "Cancel"),
      h(danger ? "button.danger" : "button.main", { type: "submit", value: "yes" }, confirm),
    ),
  );
  dialog.replaceChildren(form);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => resolve(dialog.returnValue === "yes" ? Object.fromEntries(new FormData(form)) : null),
      { once: true },
    );
  });
}

/** Ask for the token until the engine takes one; whether it did. */
export async function askToken() {
  let refused = "";
  for (;;) {
    const given = await ask({
      title: "The token, once",
      confirm: "Enter",
      refused,
      body: [
        h("p", null, "Changing anything, and reading from another machine, needs the token that orch made at its first start. It stands in the file ", h("code", null, "web.token"), " of its data directory; in the demonstration that is ", h("code", null, "~/.local/share/orch-demo/web.token"), "."),
        h("label", null, "Token", h("input", { name: "token", type: "password", required: true, autocomplete: "current-password", spellcheck: "false" })),
        h("p.quiet", null, "This browser keeps it as a cookie that no script can read."),
      ],
    });
    if (given === null) return false;
    try {
      await login(given.token.trim());
      return true;
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      refused = refusal.missing ? "This engine has no way to log in from a page." : refusal.message;
    }
  }
}

/** Give an order and say what came of it; whether it was taken. */
export async function give(path, body, done) {
  try {
    await order(path, body);
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    say(refusal.missing ? "This engine cannot do that yet." : `Refused: ${refusal.message}`, "bad");
    return false;
  }
  say(done);
  await askForBoard();
  return true;
}
