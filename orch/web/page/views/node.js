// One node: its health, its money by evidence, use against allocation, what one more unit is worth, its ledger.
import { h } from "../dom.js";
import { chart } from "../charts.js";
import { age, ago, amount, DASH, money, number, percent, perDay, RESOURCES, resourceLabel, span, unknown, usd } from "../format.js";
import { badge, blockerList, figure, figures, HEALTH, netOf, nodeLink, ratePerDay, reasons, section, table, trouble, worth } from "../parts.js";
import { history, RANGES, ranges } from "./overview.js";
import { loses, nodeTable } from "./problems.js";

export const nodes = {
  title: () => "Nodes",
  render: ({ board }) => section("nodes", `${board.nodes.length} nodes on ${[...new Set(board.nodes.map((node) => node.host))].join(", ")}`, nodeTable(board)),
};

const LEDGER_DAYS = 30;
const MOST_LINES = 100;

export const node = {
  title: ({ id }) => id,
  load(place) {
    history(place, "usd_per_hour", place.id);
    history(place, "used", place.id);
    history(place, "allocation", place.id);
    place.more = () => ledger(place);
  },
  render(place) {
    const { board, id } = place;
    const found = board.nodes.find((each) => each.name === id);
    if (!found) return h("p", null, `There is no node ${id}. `, h("a", { href: "#/nodes" }, "All nodes"));
    return [
      h("p", null, "Others: ", board.nodes.filter((each) => each.name !== id).map((each) => h("span", { "data-key": each.name }, nodeLink(each.name), " "))),
      health(board, found),
      earnings(place, found),
      resources(found),
      use(place, found),
      books(place),
    ];
  },
};

function health(board, found) {
  const alerts = board.alerts.filter((each) => each.node === found.name && each.state !== "resolved");
  const holds = board.blockers.filter((each) => each.node === found.name);
  return section(
    "health",
    "Health",
    h("p", null, badge(found.health, HEALTH[found.health] ?? ""), " ", found.health_reason, found.emulated && [" ", h("span.badge.emu", null, "emulated")]),
    h("p.quiet", null, `${found.protocol} on ${found.host}; last heard `, ago(found.last_seen_at)),
    alerts.length > 0 && h("ul.needs", null, alerts.map((each) => h("li", { "data-key": each.id }, h("p", null, each.sentence), h("p.quiet", null, each.remedy)))),
    found.locked_by.length > 0 && h("div", null, h("h3", null, "Why it keeps what it has"), reasons(found.locked_by), blockerList(holds)),
    found.observer && h("p.quiet", null, `Looking at it has cost it ${number(found.observer.requests, 0)} requests and ${number(found.observer.bytes / 1e6, 2)} MB`, found.observer.since && [" since ", ago(found.observer.since)], found.observer.per_hour && `; ${number(found.observer.per_hour.requests, 0)} requests an hour`, "."),
  );
}

function earnings(place, found) {
  const rate = found.usd_per_hour;
  const told = place.data["history-usd_per_hour"];
  const lines = told?.value?.series.map((line) => ({ name: line.node, colour: place.board.nodes.indexOf(found), points: line.points.map(([when, value]) => [when, value * 24]) }));
  return section(
    "money",
    "Money, by how sure it is",
    figures(
      figure("Net per day", netOf(rate) === null ? unknown(rate?.net_note || "unknown") : usd(perDay(netOf(rate))), loses(found) ? "costs more than it earns" : rate?.net_note),
      figure("Gross per day", ratePerDay(rate), rate ? h("span", null, `${rate.evidence}, `, age(rate.age_s, place.board.as_of), `, over ${span(rate.window_s)}`) : "what it earns is unknown"),
      figure("Costs per day", usd(perDay(rate?.cost?.mean))),
      figure("Share of all", percent(found.share_pct)),
      figure("Settled", usd(found.earned_usd.settled), "paid and final"),
      figure("Accrued", usd(found.earned_usd.accrued), "acknowledged"),
      figure("Estimated", usd(found.earned_usd.estimated), "the network's estimate"),
    ),
    ranges(place),
    lines ? chart("node-earnings", `Gross per day in USD of ${found.name}; a gap is unknown`, { lines, stepS: told.value.step_s, stacked: true, format: (value) => money(value) }) : trouble(told?.refusal, "the history"),
  );
}

function resources(found) {
  const columns = [["Resource"], ["Has", "num"], ["Uses", "num"], ["Of it", "num"], ["Promised", "num wide"], ["Best", "num"], ["One more a day", "num"]];
  const rows = RESOURCES.map(({ name, label }) => {
    const has = found.allocation[name];
    const used = found.used[name];
    return {
      key: name,
      cells: [
        label,
        amount(name, has),
        amount(name, used),
        has && used !== null ? percent((100 * used) / has) : unknown(),
        amount(name, found.committed[name]),
        amount(name, found.optimal[name]),
        worth(name, found.worth[name]),
      ],
    };
  });
  return section("resources", "What it has, what it uses, what one more is worth", table("Resources of this node", columns, rows));
}

function use(place, found) {
  const used = place.data["history-used"];
  const given = place.data["history-allocation"];
  if (!used?.value || !given?.value) return section("use", "Use over time", trouble(used?.refusal ?? given?.refusal, "the history") ?? h("p.quiet", null, "Asking for the history."));
  const charts = RESOURCES.map(({ name }) => {
    const of = (told, word, colour, dashed) => told.value.series.filter((line) => line.resource === name && line.points.length).map((line) => ({ name: word, colour, dashed, points: line.points }));
    const lines = [...of(used, "used", place.board.nodes.indexOf(found), false), ...of(given, "allocated", 7, true)];
    return lines.length === 0 || !lines.some((line) => line.name === "used")
      ? null
      : chart(`use-${name}`, `${resourceLabel(name)} of ${found.name}, used and allocated`, { lines, stepS: used.value.step_s, stepped: false, format: (value) => `${number(value)}` });
  });
  return section("use", `Use against allocation over ${place.query.get("range") ?? Object.keys(RANGES)[0]}`, h("div.pair", null, charts));
}

async function ledger(place) {
  const since = new Date(Date.parse(place.board.as_of) - LEDGER_DAYS * 86_400_000).toISOString();
  await place.fetch("ledger", "tables/ledger", { format: "json", since }, 5);
}

function books(place) {
  const told = place.data.ledger;
  const csv = h("a", { href: "/api/v1/tables/ledger?format=csv" }, "the whole ledger as CSV");
  if (!told?.value)
    return section("ledger", "Ledger", h("p", null, `What was booked in the last ${LEDGER_DAYS} days, entry by entry; or `, csv, "."), told?.refusal ? trouble(told.refusal, "the ledger") : h("button", { type: "button", "data-action": "more" }, "Show the ledger"));
  const mine = told.value.filter((entry) => entry.node === place.id).sort((one, other) => (one.period_end < other.period_end ? 1 : -1));
  const columns = [["Until", "when"], ["Kind"], ["Amount", "num"], ["USD", "num money"], ["Evidence"], ["Stream", "wide"], ["Price", "num wide"]];
  const rows = mine.slice(0, MOST_LINES).map((entry) => ({
    key: entry.entry_id,
    cells: [ago(entry.period_end), entry.kind, `${number(entry.amount, 6)} ${entry.unit.replaceAll("_", " ")}`, usd(entry.usd), entry.evidence, entry.stream, entry.usd_price === null ? DASH : h("span", { title: entry.usd_price_source }, money(entry.usd_price))],
  }));
  return section(
    "ledger",
    "Ledger",
    h("p", null, mine.length > MOST_LINES ? `The newest ${MOST_LINES} of ${mine.length} entries of the last ${LEDGER_DAYS} days; ` : `${mine.length} entries in the last ${LEDGER_DAYS} days; `, csv, "."),
    table("Ledger entries of this node, newest first", columns, rows),
  );
}
