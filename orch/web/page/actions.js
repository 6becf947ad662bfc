// What buttons do. Whatever changes something says first what would happen.
import { ask, give } from "./dialogs.js";
import { h } from "./dom.js";
import { now } from "./live.js";
import { changes, blockerList } from "./parts.js";
import { read, Refusal } from "./api.js";
import { usd } from "./format.js";
import { ifHeld } from "./views/hold.js";

const HOURS = [["1", "1 hour"], ["6", "6 hours"], ["24", "1 day"], ["168", "1 week"]];

const durations = (chosen) =>
  h("label", null, "For how long", h("select", { name: "hours" }, HOURS.map(([value, words]) => h("option", { value, selected: value === chosen }, words))));

const ACTIONS = { approve, reject, hold, resume, silence, unsilence, rollback, more };

/** Do what a button's `data-action` names, with its data and the place that it stands in. */
export const act = (data, place) => ACTIONS[data.action]?.(data, place);

async function planOf(id) {
  try {
    return await read(`plans/${encodeURIComponent(id)}`);
  } catch (refusal) {
    if (refusal instanceof Refusal) return null;
    throw refusal;
  }
}

async function approve({ plan: id }, place) {
  const plan = await planOf(id);
  const agreed = await ask({
    title: "Approve this plan?",
    confirm: "Approve",
    body: plan
      ? [
          changes(plan.from, plan.to),
          h("p", null, "The change costs ", usd(plan.cost_usd), " and leaves ", usd(plan.net_benefit_usd, { sign: true }), ` over ${plan.horizon_h} h by its lower end.`),
          plan.blockers.length > 0 && h("details", null, h("summary", null, "What stood in its way"), blockerList(plan.blockers)),
          h("p.quiet", null, "Every step is checked before and read back after; what does not take is undone. A plan made for another split than the present one is refused."),
        ]
      : [h("p", null, "What it would change cannot be shown now. orch checks it against the present split, and refuses it if it does not fit.")],
  });
  if (agreed && (await give(`plans/${encodeURIComponent(id)}/approve`, {}, "Approved. What comes of it is under Moves."))) refresh(place);
}

async function reject({ plan: id }, place) {
  const agreed = await ask({ title: "Reject this plan?", confirm: "Reject", body: h("p", null, "It is never carried out. The next decision may propose another one.") });
  if (agreed && (await give(`plans/${encodeURIComponent(id)}/reject`, {}, "Rejected."))) refresh(place);
}

async function hold(_, place) {
  const running = now.board.recent_changes.find((move) => move.ended_at === null);
  const given = await ask({
    title: "Hold every move?",
    confirm: "Hold",
    body: [h("ul.plain", null, ifHeld(now.board, running).map((each) => h("li", null, each))), durations("24")],
  });
  if (given && (await give("freeze", { for: Number(given.hours) * 3600 }, "Held. Nothing is moved until then."))) refresh(place);
}

async function resume(_, place) {
  if (await give("unfreeze", {}, "Resumed.")) refresh(place);
}

async function silence({ alert: id, sentence }, place) {
  const given = await ask({
    title: "Silence this alert?",
    confirm: "Silence",
    body: [
      h("p", null, sentence),
      h("p.quiet", null, "Nobody is told of it until then. It stays on this page, and goes on being watched."),
      durations("24"),
      h("label", null, "Why (for the history)", h("input", { name: "comment", maxlength: "200" })),
    ],
  });
  if (given && (await give(`alerts/${encodeURIComponent(id)}/silence`, { for_s: Number(given.hours) * 3600, comment: given.comment }, "Silenced."))) refresh(place);
}

async function unsilence({ alert: id }, place) {
  if (await give(`alerts/${encodeURIComponent(id)}/silence`, { for_s: 0 }, "The silence is lifted.")) refresh(place);
}

async function rollback({ reallocation: id }, place) {
  const agreed = await ask({
    title: "Put back what this move changed?",
    confirm: "Put back",
    danger: true,
    body: h("p", null, "A new move with its own checks sets the limits to what they were before, if they still are what this move made them."),
  });
  if (agreed && (await give(`reallocations/${encodeURIComponent(id)}/rollback`, {}, "Ordered. What comes of it is under Moves."))) refresh(place);
}

function more({ key }, place) {
  place.more?.(key);
}

function refresh(place) {
  place.asked.clear();
  place.render();
}

