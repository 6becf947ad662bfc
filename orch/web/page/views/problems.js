// Problems first: counted, those that need a hand on top, nodes that lose money named.
import { h } from "../dom.js";
import { age, ago, band, perDay, percent, unknown, usd } from "../format.js";
import { badge, HEALTH, leavesOut, netOf, nodeLink, section, table } from "../parts.js";

const GRAVITY = { page: 0, warning: 1, info: 2 };

/** The alerts that are on now, gravest first. */
export const active = (board) =>
  board.alerts.filter((each) => ["firing", "unknown"].includes(each.state)).sort((one, other) => GRAVITY[one.severity] - GRAVITY[other.severity]);

/** What needs a hand: graver alerts, nodes that are not well, nodes that cost more than they earn. */
export function needs(board) {
  const alerts = active(board).filter((each) => each.severity !== "info" && !each.silenced_until);
  const told = new Set(alerts.map((each) => each.node));
  const unwell = board.nodes.filter((node) => ["offline", "degraded"].includes(node.health) && !told.has(node.name));
  return { alerts, unwell, losing: board.nodes.filter(loses) };
}

export const count = (board) => {
  const { alerts, unwell, losing } = needs(board);
  return alerts.length + unwell.length + losing.length;
};

/** Whether a node costs more than it earns, as far as is known. */
export const loses = (node) => netOf(node.usd_per_hour) !== null && netOf(node.usd_per_hour) < 0;

export function problems({ board }) {
  const { alerts, unwell, losing } = needs(board);
  const total = alerts.length + unwell.length + losing.length;
  const words = total === 0 ? "No problem" : total === 1 ? "1 problem" : `${total} problems`;
  return section(
    "problems",
    h("span", null, words, total > 0 && h("span.ears", null, " to look at")),
    total > 0 && h("ul.needs", null, [
      alerts.map((each) => h("li", { "data-key": each.id }, badge(each.severity, each.severity === "page" ? "bad" : "warn"), h("p", null, each.sentence, h("span.quiet", null, " ", ago(each.since))), h("p.quiet", null, each.remedy), h("a", { href: "#/alerts" }, "Silence or history"))),
      unwell.map((node) => h("li", { "data-key": `unwell-${node.name}` }, badge(node.health, HEALTH[node.health]), h("p", null, nodeLink(node.name), `: ${node.health_reason}`))),
      losing.map((node) => h("li", { "data-key": `losing-${node.name}` }, badge("loses", "bad"), h("p", null, nodeLink(node.name), " costs more than it earns: ", usd(perDay(netOf(node.usd_per_hour))), " a day net."))),
    ]),
    nodeTable(board),
  );
}

const RANK = { offline: 0, degraded: 1, unknown: 2, online: 4 };
const rank = (board, node) => Math.min(RANK[node.health] ?? 2, loses(node) ? 1.5 : 4, needs(board).alerts.some((each) => each.node === node.name) ? 3 : 4);

/** Every node in one line, those that need a hand first. */
export function nodeTable(board) {
  const columns = [["Node"], ["Net a day", "num money"], ["Gross a day", "num wide"], ["Share", "num wide"], ["Health"], ["Heard", "wide when"]];
  const sorted = [...board.nodes].sort((one, other) => rank(board, one) - rank(board, other));
  const rows = sorted.map((node) => ({
    key: node.name,
    kind: rank(board, node) < 4 ? "needs-hand" : "",
    cells: [
      h("span", null, nodeLink(node.name), " ", h("span.quiet", null, node.protocol), node.emulated && [" ", h("span.badge.emu", null, "emulated")]),
      net(node, board),
      h("span", null, usd(perDay(node.usd_per_hour?.mean)), h("span.quiet.block", null, node.usd_per_hour && band(perDay(node.usd_per_hour.low), perDay(node.usd_per_hour.high)))),
      percent(node.share_pct),
      h("span", null, badge(node.health, HEALTH[node.health] ?? ""), h("span.quiet.block", null, node.health_reason)),
      ago(node.last_seen_at),
    ],
  }));
  const rate = board.total.usd_per_hour;
  rows.push({
    key: " total",
    kind: "total",
    cells: [h("span", null, "Together", h("span.quiet.block", null, leavesOut(board.total.leaves_out))), usd(perDay(netOf(rate))), usd(perDay(rate?.mean)), "", "", ""],
  });
  return table("Every node, those that need a hand first", columns, rows);
}

function net(node, board) {
  const rate = node.usd_per_hour;
  if (!rate) return unknown("what it earns is unknown");
  if (netOf(rate) === null) return unknown(rate.net_note || "its running costs are unknown");
  return h("span", null, h("strong", null, usd(perDay(netOf(rate)))), loses(node) && h("span.badge.bad", null, "loses"), h("span.quiet.block", null, `${rate.evidence}, `, age(rate.age_s, board.as_of)));
}
