// What stands around every view: emulated or real, in contact or not, where one is, which colours.
import { h, show } from "./dom.js";
import { ago, list, number, span, zone } from "./format.js";
import { now, silentForS } from "./live.js";
import { count } from "./views/problems.js";

const VIEWS = [
  ["", "Overview"],
  ["nodes", "Nodes"],
  ["decisions", "Decisions"],
  ["reallocations", "Moves"],
  ["alerts", "Alerts"],
  ["report", "Report"],
];
const element = (id) => document.getElementById(id);

/** Bring all of it up to date; `here` is the first part of the address. */
export function frame(here) {
  navigation(here);
  contact();
  if (now.board === null) return;
  emulated(now.board);
  footer(now.board);
}

function navigation(here) {
  const problems = now.board ? count(now.board) : 0;
  show(
    element("nav"),
    VIEWS.map(([path, name]) =>
      h("a", { href: `#/${path}`, "data-key": path, "aria-current": path === here ? "page" : null },
        name,
        path === "alerts" && problems > 0 && h("span.count", null, problems, h("span.ears", null, problems === 1 ? " problem" : " problems"))),
    ),
  );
}

const CONTACT = { live: "live", asking: "asking every few seconds", lost: "no contact", starting: "connecting" };

function contact() {
  const silent = silentForS();
  const kind = { live: "good", lost: "bad" }[now.contact] ?? "warn";
  show(element("contact"), h(`span.badge.${kind}`, { id: "contact-word" }, CONTACT[now.contact]), h("span.quiet", null, now.board ? ` ${span(silent)} old` : ""));
  const lost = now.contact === "lost";
  element("lost").hidden = !lost;
  if (!lost) return show(element("lost"));
  const what = now.board ? "What you see is orch's last word; it may have changed since." : "There is nothing to show yet.";
  show(element("lost"), h("p", null, h("b", null, "No contact with orch. "), now.why, ` ${what} Trying again by itself.`));
}

function emulated(board) {
  const names = board.nodes.filter((node) => node.emulated).map((node) => node.name);
  const all = board.engine.kind === "emulated" || (names.length > 0 && names.length === board.nodes.length);
  const some = !all && names.length > 0;
  element("emulated").hidden = !all && !some;
  const speed = board.engine.speed === 1 ? "" : ` Time runs ${number(board.engine.speed, 0)} times as fast as yours.`;
  if (all || some)
    show(element("emulated"), h("strong", null, all ? "EMULATED" : "PARTLY EMULATED"), h("span", null, all ? ` No real node, no real money.${speed}` : ` ${list(names)}: no real ${names.length === 1 ? "node" : "nodes"}.`));
  const title = element("main").querySelector("h1")?.textContent ?? "orch";
  document.title = `${all ? "[emulated] " : ""}${title} · orch`;
}

function footer(board) {
  show(
    element("foot"),
    h("p", null, `orch ${board.engine.version} · mode ${board.engine.mode}${board.engine.running ? "" : " · not running"} · times in ${zone() ?? "your own zone"} · figures of `, ago(board.as_of)),
    h("p", null, h("a", { href: "/schema/openapi.json" }, "The interface for programs"), " · ", h("a", { href: "/api/v1/tables/ledger?format=csv" }, "The ledger as CSV")),
  );
}

/** Colours as the system's, or as chosen; kept in this browser. */
export function theme(changed) {
  const select = element("theme");
  const apply = (value) => {
    if (value) document.documentElement.dataset.theme = value;
    else delete document.documentElement.dataset.theme;
  };
  select.value = localStorage.getItem("orch-theme") ?? "";
  apply(select.value);
  select.addEventListener("change", () => {
    localStorage.setItem("orch-theme", select.value);
    apply(select.value);
    changed();
  });
}
