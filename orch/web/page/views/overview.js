// The first screen: ten seconds a day.
import { h } from "../dom.js";
import { chart } from "../charts.js";
import { money } from "../format.js";
import { section, trouble } from "../parts.js";
import { hold } from "./hold.js";
import { income } from "./income.js";
import { problems } from "./problems.js";
import { didLast, left } from "./proof.js";
import { split } from "./split.js";

export const RANGES = { "24h": [24, 900], "7d": [168, 3600], "30d": [720, 14400], "1y": [8760, 86400] };

export const overview = {
  title: () => "Overview",
  load(place) {
    place.fetch("plan", "plan", { of: place.board.opportunity?.decision_id });
    place.fetch("missed", "missed", {}, 300);
    place.fetch("moves", "reallocations", { limit: 200 }, 60);
    place.fetch("report", "report", { period: "30d" }, 600);
    history(place, "usd_per_hour", null);
  },
  render: (place) => [
    h("div.board", null, income(place), split(place), didLast(place), left(place), problems(place), hold(place)),
    section("chart", "Gross per day, by node", ranges(place), earnings(place)),
  ],
};

/** Ask for a metric's history over the range that the reader chose. */
export function history(place, metric, node) {
  const [hours, step] = RANGES[place.query.get("range")] ?? RANGES["24h"];
  const since = new Date(Date.parse(place.board.as_of) - hours * 3_600_000);
  since.setSeconds(0, 0);
  since.setMinutes(Math.floor(since.getMinutes() / 15) * 15);
  place.fetch(`history-${metric}`, "metrics-history", { metric, node, since: since.toISOString(), step_s: step }, 30);
}

/** The choice of a range, kept in the address. */
export function ranges(place) {
  const chosen = place.query.get("range") ?? "24h";
  return h("label.range", null, "Over ", h("select", { "data-query": "range" }, Object.keys(RANGES).map((each) => h("option", { value: each, selected: each === chosen }, each))));
}

function earnings({ board, data }) {
  const told = data["history-usd_per_hour"];
  if (!told) return h("p.quiet", null, "Asking for the history.");
  if (!told.value) return trouble(told.refusal, "the history");
  const order = board.nodes.map((node) => node.name);
  const lines = told.value.series
    .map((line) => ({ name: line.node, colour: Math.max(0, order.indexOf(line.node)), points: line.points.map(([when, value]) => [when, value * 24]) }))
    .sort((one, other) => one.colour - other.colour);
  return chart("earnings", "Gross per day in USD, by node, stacked; a gap is unknown", { lines, stepS: told.value.step_s, stacked: true, format: (value) => money(value) });
}
