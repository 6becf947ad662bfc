// What is wrong now, gravest first, with what to do; silences; and what was wrong before.
import { h } from "../dom.js";
import { ago, span, usd } from "../format.js";
import { badge, nodeLink, section, table, trouble } from "../parts.js";
import { readable } from "../words.js";
import { active } from "./problems.js";

const SEVERITY = { page: "bad", warning: "warn", info: "" };

export const alerts = {
  title: () => "Alerts",
  load(place) {
    place.fetch("alerts", "alerts", { limit: 200 }, 15);
  },
  render({ board, data }) {
    const on = active(board);
    const soon = board.alerts.filter((each) => each.state === "pending");
    return [
      section("firing", on.length ? `${on.length} now` : "Nothing is wrong that orch knows of", on.length > 0 && h("ul.needs", null, on.map(line))),
      soon.length > 0 && section("pending", "Not long enough yet to count", h("ul.needs", null, soon.map(line))),
      history(data.alerts),
    ];
  },
};

function line(alert) {
  const silenced = alert.silenced_until;
  return h(
    "li",
    { "data-key": alert.id },
    h("p", null, badge(alert.severity, SEVERITY[alert.severity]), " ", h("b", null, readable(alert.rule)), alert.node && [" on ", nodeLink(alert.node)], " ", h("span.quiet", null, "since ", ago(alert.since))),
    h("p", null, alert.sentence),
    h("p.quiet", null, "What to do: ", alert.remedy),
    typeof alert.cost_usd_per_day === "number" && !alert.sentence.includes("a day") && h("p", null, "Costs ", usd(alert.cost_usd_per_day), " a day."),
    alert.state === "unknown" && h("p.notice", null, "Whether it still is so cannot be seen now."),
    alert.inhibited_by && h("p.quiet", null, `Nobody is told: ${readable(alert.inhibited_by)} explains it.`),
    silenced && h("p.notice", { "data-key": "silenced" }, "Silenced; nobody is told until ", ago(silenced), "."),
    silenced ? h("button", { type: "button", "data-key": "lift", "data-action": "unsilence", "data-alert": alert.id }, "Lift the silence") : alert.state !== "pending" && h("button", { type: "button", "data-action": "silence", "data-alert": alert.id, "data-sentence": alert.sentence }, "Silence"),
  );
}

function history(told) {
  if (!told?.value) return section("history", "History", trouble(told?.refusal, "the history of alerts") ?? h("p.quiet", null, "Asking for the history."));
  const columns = [["Since", "when"], ["What"], ["Node"], ["Severity"], ["State"], ["Lasted", "num wide"]];
  const rows = told.value.items.map((alert) => ({
    key: alert.id,
    cells: [
      ago(alert.since),
      h("span", null, h("b", null, readable(alert.rule)), h("span.quiet.block", null, alert.sentence)),
      alert.node ? nodeLink(alert.node) : "the host",
      badge(alert.severity, SEVERITY[alert.severity]),
      alert.state,
      alert.resolved_at ? span((Date.parse(alert.resolved_at) - Date.parse(alert.since)) / 1000) : "",
    ],
  }));
  return section("history", "History", rows.length ? table("Alerts that have fired, newest first", columns, rows) : h("p", null, "None has fired yet."));
}

