// Which view is shown, what it has asked for, and when it is brought up to date.
import { onTokenNeeded, read, Refusal } from "./api.js";
import { fetchLibrary, paint } from "./charts.js";
import { h, show } from "./dom.js";
import { loadCalendar, tick } from "./format.js";
import { frame, theme } from "./frame.js";
import { engineNow, now, start, subscribe } from "./live.js";
import { unlessPressed } from "./press.js";
import { overview } from "./views/overview.js";

const LATER = {
  nodes: () => import("./views/node.js").then((each) => each.nodes),
  node: () => import("./views/node.js").then((each) => each.node),
  decisions: () => import("./views/decisions.js").then((each) => each.decisions),
  decision: () => import("./views/decisions.js").then((each) => each.decision),
  reallocations: () => import("./views/reallocations.js").then((each) => each.reallocations),
  reallocation: () => import("./views/reallocations.js").then((each) => each.reallocation),
  alerts: () => import("./views/alerts.js").then((each) => each.alerts),
  report: () => import("./views/report.js").then((each) => each.report),
};
const PARENT = { node: "nodes", decision: "decisions", reallocation: "reallocations" };

const main = document.getElementById("main");
let place = null;

/** The present place: what its view is called with. */
function context(name, id, query) {
  const here = { name, id, query, view: null, data: {}, asked: new Map(), board: null, now: engineNow };
  here.fetch = (key, path, params, everyS = 60) => fetchInto(here, key, path, params, everyS);
  here.again = (key) => here.asked.delete(key);
  here.render = () => place === here && renderSoon();
  here.go = (changes) => go(here, changes);
  return here;
}

const AGAIN_S = 5;

// Whatever else is asked can wait until the board's own figures are on screen.
let haveFigures;
const figures = new Promise((resolve) => (haveFigures = resolve));

// Ask once, and again after so many seconds; what comes is in data[key] as {value} or {refusal}.
async function fetchInto(here, key, path, params, everyS) {
  const question = JSON.stringify([path, params]);
  const before = here.asked.get(key);
  if (before?.question === question && performance.now() - before.when < everyS * 1000) return;
  here.asked.set(key, { question, when: performance.now() });
  await figures;
  try {
    const value = await read(path, params);
    if (here.asked.get(key)?.question === question) here.data[key] = { value };
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    here.data[key] = { value: here.data[key]?.value, refusal };
    const soon = { question, when: performance.now() + (AGAIN_S - everyS) * 1000 };
    if (refusal.passing && here.asked.get(key)?.question === question) here.asked.set(key, soon);
  }
  here.render();
}

// Change the query in the address without a new place in the history.
function go(here, changes) {
  for (const [name, value] of Object.entries(changes)) {
    if (value) here.query.set(name, value);
    else here.query.delete(name);
  }
  const path = [here.name, here.id].filter(Boolean).map(encodeURIComponent).join("/");
  history.replaceState(null, "", `#/${path}${here.query.size ? `?${here.query}` : ""}`);
  here.render();
}

async function enter() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name = "", id = ""] = path.split("/").map(decodeURIComponent);
  const first = place === null;
  const here = (place = context(name, id, new URLSearchParams(query)));
  here.view = name === "" ? overview : LATER[name] ? await LATER[name]() : nowhere;
  if (place !== here) return;
  render();
  if (first) return;
  scrollTo(0, 0);
  main.focus({ preventScroll: true });
}

// What arrives together is shown together.
let isDue = false;
function renderSoon() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    unlessPressed(render);
  });
}

const nowhere = { title: () => "There is no such page", render: () => h("p", null, h("a", { href: "#/" }, "To the overview")) };

function render() {
  frame(PARENT[place.name] ?? place.name);
  if (now.board === null || place.view === null) return;
  const first = place.board === null;
  place.board = now.board;
  place.view.load?.(place);
  show(main, h("h1", null, place.view.title(place)), place.view.render(place));
  frame(PARENT[place.name] ?? place.name);
  tick(document.body, engineNow());
  if (first) {
    performance.mark("orch-numbers");
    haveFigures();
    requestAnimationFrame(() => {
      loadCalendar();
      fetchLibrary();
    });
  }
  requestAnimationFrame(async () => (await paint()) && unlessPressed(render));
}

function renderFrame() {
  frame(PARENT[place?.name] ?? place?.name ?? "");
  tick(document.body, engineNow());
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action]");
  if (button) import("./actions.js").then(({ act }) => act(button.dataset, place));
});
document.addEventListener("change", (event) => {
  const field = event.target.closest("[data-query]");
  if (field) place.go({ [field.dataset.query]: field.value });
});
// The skip link is no place.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});

onTokenNeeded(async () => (await import("./dialogs.js")).askToken());
theme(() => render());
addEventListener("hashchange", enter);
let seen = null;
subscribe(() => {
  if (now.board !== seen) {
    seen = now.board;
    if (place?.view) unlessPressed(render);
    return;
  }
  unlessPressed(renderFrame);
});
enter();
start();
