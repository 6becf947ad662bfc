// The split now and the split proposed, with the gain, its band and what the change costs.
import { h } from "../dom.js";
import { amount, number, perDay, RESOURCES, usd, percent } from "../format.js";
import { blockerList, due, figure, figures, nodeLink, ratePerDay, section, table, trouble, worth } from "../parts.js";

export function split({ board, data }) {
  const offer = board.opportunity;
  const plan = data.plan?.value ?? null;
  return section(
    "split",
    "The split now, and the split proposed",
    offer ? gain(board, offer) : h("p", null, "No decision has been made yet."),
    bars(board),
    offer && answer(board, offer, plan),
    h("details", null, h("summary", null, "As a table: what each node has, and would have"), asTable(board)),
    trouble(data.plan?.refusal?.status === 404 ? null : data.plan?.refusal, "the plan"),
  );
}

function gain(board, offer) {
  if (!offer.gain_usd_per_hour || offer.gain_usd_per_hour.mean <= 0)
    return h("p", null, h("strong", null, offer.gain_usd_per_hour ? "Nothing to gain: " : "No gain is known: "), offer.gain_usd_per_hour ? "no better split is open now." : "no plan could be made.");
  return figures(
    figure("Gain per day", ratePerDay(offer.gain_usd_per_hour, { sign: true }), "mean, and its 90 % band"),
    figure("The change costs", usd(offer.cost_usd), "once"),
    figure(`Left after it, over ${number(offer.horizon_h, 0)} h`, usd(offer.net_benefit_usd, { sign: true }), "by the gain's lower end"),
    figure("Next move suggested", nextMove(board), board.can_reallocate ? "nothing stands in its way" : "see what it waits for"),
  );
}

function nextMove(board) {
  if (board.next_reallocation_at === null) return h("span", null, "not now");
  const isDue = board.next_reallocation_at <= board.as_of;
  return isDue && !board.can_reallocate ? "waits" : due(board.next_reallocation_at);
}

function answer(board, offer, plan) {
  const waits = board.blockers.length > 0;
  const changed = plan !== null && offer.gain_usd_per_hour?.mean > 0 && differs(plan);
  return h(
    "div",
    { "data-key": "answer" },
    h("p", null, offer.sentence),
    waits && h("details", null, h("summary", null, `What it waits for (${board.blockers.length})`), blockerList(board.blockers)),
    h("p.quiet", null, "Next decision ", due(board.next_decision_at), ". ", h("a", { href: `#/decision/${encodeURIComponent(offer.decision_id)}` }, "Its numbers")),
    changed && h("div.buttons", { "data-key": "buttons" },
      h("button.main", { type: "button", "data-action": "approve", "data-plan": plan.id }, "Approve this plan"),
      h("button", { type: "button", "data-action": "reject", "data-plan": plan.id }, "Reject it")),
  );
}

/** Whether a plan or decision would change anything. */
export function differs(plan) {
  return Object.entries(plan.to).some(([node, wanted]) =>
    RESOURCES.some(({ name }) => wanted[name] !== null && plan.from[node]?.[name] !== null && wanted[name] !== plan.from[node]?.[name]),
  );
}

function bars(board) {
  const names = board.nodes.map((node) => node.name);
  return h(
    "div.splits",
    { "aria-hidden": "true", "data-key": "bars" },
    RESOURCES.filter(({ name }) => board.capacity[name]).map(({ name, label }) =>
      h(
        "div.split",
        { "data-key": name },
        h("div.split-name", null, label, h("span.quiet", null, ` of `, amount(name, board.capacity[name]))),
        bar("now", name, board, "allocation"),
        bar("best", name, board, "optimal"),
      ),
    ),
    h("p.legend", null, names.map((name, index) => h("span", { "data-key": name }, h(`i.swatch.node-${index % 8}`), name)), h("span", null, h("i.swatch.reserve"), "the host's own"), h("span", null, h("i.swatch.free"), "free")),
  );
}

function bar(word, resource, board, side) {
  const whole = board.capacity[resource];
  const parts = board.nodes.map((node, index) => [node.name, node[side][resource], `node-${index % 8}`]);
  parts.push(["reserve", board.reserve[resource], "reserve"]);
  return h(
    "div.bar-line",
    { "data-key": word },
    h("span.bar-word", null, word),
    h("div.bar", null, parts.filter(([, value]) => value > 0).map(([name, value, kind]) =>
      h(`span.${kind}`, { "data-key": name, title: `${name}: ${number(value)}`, style: { "flex-basis": `${(100 * value) / whole}%` } },
        value / whole > 0.09 ? number(value, value < 10 ? 1 : 0) : null))),
  );
}

function asTable(board) {
  const columns = [["Node"], ["Resource"], ["Now", "num"], ["Proposed", "num"], ["Used", "num"], ["Promised", "num"], ["One more a day", "num"], ["Of the host", "num"]];
  const rows = board.nodes.flatMap((node) =>
    RESOURCES.map(({ name, label }) => ({
      key: `${node.name}-${name}`,
      kind: node.optimal[name] !== null && node.optimal[name] !== node.allocation[name] ? "changed" : "",
      cells: [
        nodeLink(node.name),
        label,
        amount(name, node.allocation[name]),
        amount(name, node.optimal[name]),
        amount(name, node.used[name]),
        amount(name, node.committed[name]),
        worth(name, node.worth[name]),
        percent(node.allocation_pct[name], 1),
      ],
    })),
  );
  return table("What each node has, would have, uses and has promised", columns, rows);
}
