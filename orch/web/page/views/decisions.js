// Every decision, also to stay, with its reasons and numbers; those that wait for a word can be given it.
import { h } from "../dom.js";
import { ago, clock, number, percent, unknown, usd } from "../format.js";
import { badge, blockerList, changes, figure, figures, ratePerDay, reasons, section, table, trouble } from "../parts.js";
import { REASONS } from "../words.js";
import { differs } from "./split.js";

const PART = 50;

export const decisions = {
  title: () => "Decisions",
  load(place) {
    const reason = place.query.get("reason");
    const verdict = place.query.get("verdict");
    place.fetch("page", "decisions", { limit: PART, reason, verdict }, 15);
    const asked = JSON.stringify([reason, verdict]);
    if (place.older?.asked !== asked) place.older = { asked, items: [], next: undefined };
    place.more = () => more(place, reason, verdict);
  },
  render(place) {
    const told = place.data.page;
    const reason = place.query.get("reason") ?? "";
    if (!told?.value) return [filters(place), trouble(told?.refusal, "decisions") ?? h("p.quiet", null, "Asking for decisions.")];
    const first = told.value.items;
    const known = new Set(first.map((each) => each.id));
    const items = [...first, ...place.older.items.filter((each) => !known.has(each.id))].filter((each) => !reason || each.reasons.includes(reason));
    const next = place.older.next === undefined ? told.value.next : place.older.next;
    const columns = [["When", "when"], ["Verdict"], ["Why"], ["Gain a day", "num money"], ["Cost", "num wide"], ["Left", "num wide"], ["Strategy, solver", "wide when"]];
    const rows = items.map((each) => ({
      key: each.id,
      cells: [
        h("a", { href: `#/decision/${encodeURIComponent(each.id)}` }, ago(each.decided_at)),
        badge(each.verdict, each.verdict === "move" ? "good" : ""),
        reasons(each.reasons),
        ratePerDay(each.gain_usd_per_hour, { sign: true }),
        usd(each.cost_usd),
        usd(each.net_benefit_usd, { sign: true }),
        `${each.strategy}, ${each.solver_chain.join(" → ") || each.solver}`,
      ],
    }));
    return [
      filters(place),
      section(
        "decisions",
        `${items.length} newest`,
        trouble(told.refusal, "newer decisions"),
        items.length ? table("Decisions, newest first", columns, rows) : h("p", null, "No decision with this reason."),
        next && h("button", { type: "button", "data-action": "more" }, "Older ones"),
      ),
    ];
  },
};

async function more(place, reason, verdict) {
  const cursor = place.older.next === undefined ? place.data.page.value.next : place.older.next;
  place.again("older");
  await place.fetch("older", "decisions", { limit: PART, reason, verdict, cursor }, 0);
  const told = place.data.older?.value;
  if (!told) return;
  place.older.items.push(...told.items);
  place.older.next = told.next;
  place.render();
}

function filters(place) {
  const pick = (name, label, options) =>
    h("label", null, label, h("select", { "data-query": name }, options.map(([value, words]) => h("option", { value, selected: value === (place.query.get(name) ?? "") }, words))));
  return h(
    "div.filters",
    null,
    pick("reason", "Reason", [["", "Every reason"], ...Object.entries(REASONS)]),
    pick("verdict", "Verdict", [["", "Move or stay"], ["move", "Move"], ["stay", "Stay"]]),
  );
}

export const decision = {
  title: () => "Decision",
  load(place) {
    place.fetch("decision", `decisions/${encodeURIComponent(place.id)}`, {}, 300);
    place.fetch("plan", "plan", { of: place.board.opportunity?.decision_id }, 15);
  },
  render(place) {
    const told = place.data.decision;
    if (!told?.value) return [back(), trouble(told?.refusal, "this decision") ?? h("p.quiet", null, "Asking for the decision.")];
    const made = told.value;
    const plan = place.data.plan?.value;
    const newest = plan?.id === made.plan_id;
    return [
      back(),
      section(
        "decision",
        h("span", null, badge(made.verdict, made.verdict === "move" ? "good" : ""), " ", h("time", { datetime: made.decided_at }, clock(made.decided_at)), " ", h("span.quiet", null, ago(made.decided_at))),
        h("p", null, made.sentence),
        reasons(made.reasons),
        figures(
          figure("Gain per day", made.gain_usd_per_hour ? ratePerDay(made.gain_usd_per_hour, { sign: true }) : unknown("no gain found"), "mean, and its 90 % band"),
          figure(`Gain over ${number(made.horizon_h, 0)} h`, usd(made.gain_usd, { sign: true }), "lower end"),
          figure("Cost", usd(made.cost_usd), "once"),
          figure("Left", usd(made.net_benefit_usd, { sign: true }), made.net_benefit_pct === null ? null : h("span", null, percent(made.net_benefit_pct), " of the gain")),
          figure("Strategy", made.strategy),
          figure("Solver", made.solver_chain.join(" → ") || made.solver, newest && plan.status),
        ),
        h("h3", null, "What it would change"),
        changes(made.from, made.to),
        made.blockers.length > 0 && [h("h3", null, "What stood in its way"), blockerList(made.blockers)],
        newest && plan.status && bounds(plan),
        made.plan_id && differs(made) && buttons(made, newest),
      ),
    ];
  },
};

const back = () => h("p", null, h("a", { href: "#/decisions" }, "All decisions"));

function bounds(plan) {
  const gap = plan.gap_pct === null ? "how far from the best is not known" : plan.gap_pct < 0.01 ? "proved to be the best" : `at most ${number(plan.gap_pct, 2)} % from the best`;
  return h("p.quiet", null, `The plan: ${plan.status}, ${gap}${plan.improvement_pct === null ? "" : `; +${number(plan.improvement_pct, 0)} % on present income`}.`);
}

const buttons = (made, newest) => [
  h("div.buttons", null,
    h("button.main", { type: "button", "data-action": "approve", "data-plan": made.plan_id }, "Approve this plan"),
    h("button", { type: "button", "data-action": "reject", "data-plan": made.plan_id }, "Reject it")),
  !newest && h("p.quiet", null, "There is a newer plan. orch takes this one only if it still fits the present split."),
];
