// Every move: its way through the saga, what was set and read back, what it brought; and the switch ledger.
import { h } from "../dom.js";
import { ago, amount, clock, resourceLabel, span, unknown, usd } from "../format.js";
import { badge, figure, figures, nodeLink, ratePerDay, reasons, section, table, trouble, VERDICT } from "../parts.js";
import { STATES, VERDICTS } from "../words.js";
import { moveLine } from "./proof.js";

const GOOD_WAY = ["proposed", "approved", "preflight", "applying", "verifying", "settled"];
const WAYS = { rolling_back: [...GOOD_WAY.slice(0, 5), "rolling_back"], rolled_back: [...GOOD_WAY.slice(0, 5), "rolling_back", "rolled_back"], stuck: [...GOOD_WAY.slice(0, 4), "stuck"], refused: ["proposed", "refused"] };
const TRIGGERS = { auto: "by orch itself", approved: "approved by a person", manual: "ordered by a person" };

/** The saga's states in order, where it is, and where it ended. */
export function saga(move) {
  const way = WAYS[move.state] ?? GOOD_WAY;
  const at = way.indexOf(move.state);
  const ended = move.ended_at !== null;
  const kind = (index) => {
    if (index < at || (index === at && ended && move.state === "settled")) return "done";
    if (index > at) return "";
    return ["stuck", "rolled_back", "refused"].includes(move.state) ? "bad" : "now";
  };
  return h(
    "ol.saga",
    { "aria-label": `It is ${STATES[move.state] ?? move.state}` },
    way.map((state, index) => h("li", { "data-key": state, class: kind(index), "aria-current": index === at ? "step" : null }, STATES[state] ?? state)),
  );
}

export const reallocations = {
  title: () => "Moves",
  load(place) {
    place.fetch("moves", "reallocations", { limit: 200 }, 10);
    place.fetch("missed", "missed", {}, 120);
  },
  render({ board, data }) {
    const told = data.moves;
    const items = told?.value?.items ?? board.recent_changes;
    return [
      switchLedger(items, data.missed, told?.value?.next ?? null),
      section(
        "moves",
        "Every move, newest first",
        trouble(told?.refusal, "older moves"),
        items.length ? h("ol.moves", null, items.map((move) => h("li", { "data-key": `saga-${move.id}` }, h("ol.moves", null, moveLine(move)), saga(move)))) : h("p", null, "Nothing has been moved yet."),
      ),
    ];
  },
};

function switchLedger(moves, missed, older) {
  const settled = moves.filter((move) => move.state === "settled");
  const of = (verdict) => settled.filter((move) => move.verdict === verdict).length;
  const judged = of("paid") + of("lost");
  const columns = [["When", "when"], ["Foretold a day", "num"], ["Found a day", "num money"], ["Cost", "num wide"], ["Verdict"]];
  const rows = settled.map((move) => ({
    key: move.id,
    cells: [h("a", { href: `#/reallocation/${encodeURIComponent(move.id)}` }, ago(move.ended_at)), ratePerDay(move.predicted_gain_usd_per_hour, { sign: true }), move.realised_gain_usd_per_hour ? ratePerDay(move.realised_gain_usd_per_hour, { sign: true }) : unknown("not known yet"), usd(move.cost_usd), badge(VERDICTS[move.verdict] ?? move.verdict, VERDICT[move.verdict] ?? "")],
  }));
  return section(
    "switches",
    "Switch ledger: did moving pay?",
    figures(
      figure("Paid back", String(of("paid"))),
      figure("Lost money", String(of("lost"))),
      figure("Cannot be told", String(of("inconclusive"))),
      figure("Waiting for earnings", String(of("pending"))),
      figure("Success", judged ? `${Math.round((100 * of("paid")) / judged)} %` : unknown("none has been judged"), "paid, of those that were judged"),
      figure("Refused plans would have brought", usd(missed?.value?.usd), missed?.value && `as predicted, over ${span(missed.value.hours * 3600)}`),
    ),
    older && h("p.notice", null, `Counts the newest ${moves.length} moves only.`),
    rows.length > 0 && table("Settled moves: foretold and found", columns, rows),
  );
}

export const reallocation = {
  title: () => "Move",
  load(place) {
    place.fetch("move", `reallocations/${encodeURIComponent(place.id)}`, {}, 5);
    place.fetch("steps", "tables/reallocation_steps", { format: "json" }, 15);
  },
  render(place) {
    const told = place.data.move;
    const move = told?.value ?? place.board.recent_changes.find((each) => each.id === place.id);
    if (!move) return [back(), trouble(told?.refusal, "this move") ?? h("p.quiet", null, "Asking for the move.")];
    const columns = [["Node"], ["Resource"], ["Before", "num"], ["Wanted", "num"], ["Read back", "num"]];
    const rows = move.changes.map((each) => ({ key: `${each.node}-${each.resource}`, cells: [nodeLink(each.node), resourceLabel(each.resource), amount(each.resource, each.from), amount(each.resource, each.to), amount(each.resource, each.read_back)] }));
    return [
      back(),
      section(
        "move",
        h("span", null, clock(move.started_at), " ", h("span.quiet", null, ago(move.started_at))),
        saga(move),
        h("p", null, move.sentence),
        h("p", null, reasons(move.reasons)),
        move.rolled_back_reason && h("p.notice", null, `Undone: ${move.rolled_back_reason}`),
        figures(
          figure("Begun", TRIGGERS[move.trigger] ?? move.trigger),
          figure("Took", move.ended_at ? span((Date.parse(move.ended_at) - Date.parse(move.started_at)) / 1000) : "under way"),
          figure("Foretold per day", ratePerDay(move.predicted_gain_usd_per_hour, { sign: true })),
          figure("Found per day", move.realised_gain_usd_per_hour ? ratePerDay(move.realised_gain_usd_per_hour, { sign: true }) : unknown("not known yet"), VERDICTS[move.verdict]),
          figure("Cost", usd(move.cost_usd)),
        ),
        table("What was set, and read back", columns, rows),
        move.decision_id && h("p", null, h("a", { href: `#/decision/${encodeURIComponent(move.decision_id)}` }, "The decision behind it")),
        move.state === "settled" && h("div.buttons", null, h("button", { type: "button", "data-action": "rollback", "data-reallocation": move.id }, "Put it back")),
      ),
      steps(place),
    ];
  },
};

const back = () => h("p", null, h("a", { href: "#/reallocations" }, "All moves"));

function steps({ data, id }) {
  const told = data.steps;
  if (!told?.value) return told?.refusal ? trouble(told.refusal, "its steps") : null;
  const mine = told.value.filter((step) => step.reallocation_id === id).sort((one, other) => (one.started_at < other.started_at ? -1 : 1));
  if (mine.length === 0) return null;
  const columns = [["Step"], ["When", "when"], ["Node"], ["What"], ["Outcome"]];
  const rows = mine.map((step) => ({
    key: `${step.phase}-${step.step_index}-${step.started_at}`,
    cells: [String(step.step_index + 1), ago(step.started_at), nodeLink(step.node), `${step.phase === "backward" ? "undo, " : ""}${step.kind}`, h("span", null, badge(step.outcome, { verified: "good", refused: "bad", mismatch: "bad", timeout: "bad" }[step.outcome] ?? ""), " ", step.sentence)],
  }));
  return section("steps", "Its steps, releases before grants", table("Steps of this move", columns, rows));
}
