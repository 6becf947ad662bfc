// The report of a period: what it came to and on which evidence, whether moving paid, what could be better.
import { h } from "../dom.js";
import { chart } from "../charts.js";
import { ago, clock, money, number, percent, perDay, RESOURCES, span, unknown, usd } from "../format.js";
import { badge, figure, figures, nodeLink, section, table, trouble, VERDICT, worth } from "../parts.js";
import { readable, reason, STATES, VERDICTS } from "../words.js";

const PERIODS = [["24h", "A day"], ["7d", "A week"], ["30d", "30 days"], ["90d", "90 days"], ["365d", "A year"]];
export const USUAL = "30d";

export const report = {
  title: () => "Report",
  load(place) {
    place.fetch("report", "report", { period: place.query.get("period") ?? USUAL }, 300);
  },
  render(place) {
    const period = place.query.get("period") ?? USUAL;
    const told = place.data.report;
    const found = told?.value;
    return [
      h("div.filters", null, h("label", null, "Over", h("select", { "data-query": "period" }, PERIODS.map(([value, words]) => h("option", { value, selected: value === period }, words))))),
      trouble(told?.refusal, "reports"),
      !told && h("p.quiet", null, "Asking for the report."),
      found && [summary(found, period), compared(found), drawn(place, found), nodes(found), moves(found), rest(found)],
    ];
  },
};

function summary(found, period) {
  const { booked, net } = found;
  return section(
    "summary",
    h("span", null, "In short ", h("span.quiet", null, `${clock(found.since)} to ${clock(found.until)}`)),
    found.kind === "emulated" && h("p.notice", null, "Emulated: none of it is real money."),
    figures(
      figure("Booked income", usd(booked.income_usd), `${number(booked.entries)} entries of the ledger`),
      figure("Settled", usd(booked.settled_usd), "paid and final"),
      figure("Accrued", usd(booked.accrued_usd), "acknowledged"),
      figure("Estimated", usd(booked.estimated_usd), "the networks' own estimate"),
      figure("Fees, gas, penalties", usd(booked.fees_usd)),
      figure("Net", net ? usd(net.net_usd) : unknown("running costs are not known"), net && `over the ${number(net.hours)} h whose running costs are known; gross ${money(net.gross_usd)}`),
      figure("Gross per day", usd(perDay(found.usd_per_hour))),
      figure("Uptime", percent(found.uptime.uptime_pct, 1), found.uptime.unknown_pct ? `unknown for ${number(found.uptime.unknown_pct, 1)} %` : "share of ticks with every node online"),
      figure("Forecasts off by", percent(found.forecasts.error_pct, 1), found.forecasts.coverage_pct === null ? "none has been scored" : `${number(found.forecasts.coverage_pct)} % within their band`),
    ),
    booked.unpriced > 0 && h("p.notice", null, `Leaves out ${number(booked.unpriced)} entries that have no price.`),
    found.unknown.length > 0 && h("ul.plain", null, found.unknown.map((each) => h("li", null, each))),
    h("p", null, h("a", { href: `/api/v1/report?period=${period}&format=html` }, "As one file to keep or send"), " · ", h("a", { href: `/api/v1/report?period=${period}&format=text` }, "as text")),
  );
}

/** What was earned beside never moving and the best fixed split, as figures; null where it cannot be told. */
export function comparison(found) {
  if (!found) return null;
  return figures(
    figure("The splits that were held", usd(found.as_recorded_usd), `in ${span(found.hours * 3600)}, by the curves as recorded`),
    figure("Never moving", usd(found.never_moved_usd), h("span", null, "moving brought ", usd(found.gained_by_moving_usd, { sign: true }), `, its cost of ${money(found.moving_cost_usd)} taken off`)),
    figure("The best split in hindsight", usd(found.best_fixed_usd), `of ${number(found.splits)} that were held or proposed`),
    figure("Left on the table", h("strong", null, usd(found.left_on_the_table_usd)), "all of it is estimated"),
  );
}

const compared = (found) => section("compared", "Against never moving, and the best split in hindsight", comparison(found.comparison) ?? h("p", null, "Not enough is recorded yet to tell."));

function drawn(place, found) {
  const order = place.board.nodes.map((node) => node.name);
  const from = Date.parse(found.since);
  const to = Date.parse(found.until) - found.income_step_s * 1000;
  const whole = ([when]) => Date.parse(when) >= from && Date.parse(when) <= to;
  const lines = found.income.map((line) => ({ name: line.node, colour: Math.max(0, order.indexOf(line.node)), points: line.points.filter(whole) })).sort((one, other) => one.colour - other.colour);
  return section("income-chart", "Income by day", chart("report-income", "Income in USD of every whole day, by when it was earned, stacked by node", { lines, stepS: found.income_step_s, stacked: true, format: (value) => money(value) }));
}

function nodes(found) {
  const columns = [["Node"], ["Booked", "num money"], ["Settled", "num wide"], ["Accrued", "num wide"], ["Estimated", "num wide"], ["Fees", "num wide"], ["Share", "num"], ["Uptime", "num"], ["Processor used", "num wide"], ["Storage used", "num wide"]];
  const rows = found.nodes.map((node) => ({
    key: node.node,
    cells: [
      h("span", null, nodeLink(node.node), " ", h("span.quiet", null, node.protocol)),
      node.earned_usd === null ? unknown("nothing of it has a price") : usd(node.income_usd),
      usd(node.settled_usd),
      usd(node.accrued_usd),
      usd(node.estimated_usd),
      usd(node.fees_usd),
      percent(node.share_pct),
      percent(node.uptime_pct, 1),
      percent(node.cpu_used_pct),
      percent(node.storage_used_pct),
    ],
  }));
  const earning = RESOURCES.filter(({ name }) => found.efficiency_usd_per_hour[name] !== null);
  return section("report-nodes", "By node", table("Booked income by node and evidence", columns, rows),
    earning.length > 0 && h("p.quiet", null, "Earned a day by what is allocated: ", earning.map(({ name, label }, index) => [index > 0 && ", ", `${label} `, worth(name, found.efficiency_usd_per_hour[name])])));
}

function moves(found) {
  const all = found.moves;
  const columns = [["When", "when"], ["What", "wide"], ["Foretold a day", "num"], ["Found a day", "num"], ["Cost", "num wide"], ["Verdict"]];
  const rows = found.reallocations.map((move) => ({
    key: move.id,
    cells: [h("a", { href: `#/reallocation/${encodeURIComponent(move.id)}` }, ago(move.started_at)), move.sentence, usd(perDay(move.predicted_usd_per_hour), { sign: true }), usd(perDay(move.realised_usd_per_hour), { sign: true }), usd(move.cost_usd), badge(move.state === "settled" ? (VERDICTS[move.verdict] ?? move.verdict) : (STATES[move.state] ?? move.state), VERDICT[move.verdict] ?? "")],
  }));
  return section(
    "report-moves",
    `${number(all.count)} ${all.count === 1 ? "move" : "moves"}, and whether they paid`,
    figures(
      figure("Paid back", number(all.paid)),
      figure("Lost money", number(all.lost)),
      figure("Cannot be told", number(all.inconclusive)),
      figure("Waiting for earnings", number(all.pending)),
      figure("Success", percent(all.success_rate_pct)),
      figure("Seen to bring", usd(all.realised_usd), h("span", null, "cost ", usd(all.cost_usd))),
      figure("Refused plans would have brought", usd(all.missed_usd), `as predicted, over ${span(all.missed_hours * 3600)}`),
    ),
    rows.length > 0 && table("Moves of the period", columns, rows),
  );
}

function rest(found) {
  const why = Object.entries(found.decisions.reasons).sort((one, other) => other[1] - one[1]);
  return [
    section("suggestions", "What could be better", found.suggestions.length
      ? h("ul.needs", null, found.suggestions.map((each) => h("li", { "data-key": each.sentence }, h("p", null, each.sentence, each.usd_per_day !== null && [" ", h("b", null, money(each.usd_per_day, { sign: true }), " a day.")]), h("p.quiet", null, each.remedy))))
      : h("p", null, "Nothing that would bring a cent a day.")),
    section("report-decisions", `${number(found.decisions.count)} decisions, ${number(found.decisions.moves)} to move`, table("How often for which reason", [["Reason"], ["Times", "num"]], why.map(([code, times]) => ({ key: code, cells: [h("a", { href: `#/decisions?reason=${code}` }, reason(code)), number(times)] })))),
    found.alerts.length > 0 && section("report-alerts", "Alerts", table("How often which rule fired", [["Rule"], ["Node"], ["Times", "num"], ["Lasted in all", "num"]], found.alerts.map((each) => ({ key: `${each.rule}-${each.node}`, cells: [readable(each.rule), each.node ?? "the host", number(each.count), span(each.lasted_s)] })))),
  ];
}
