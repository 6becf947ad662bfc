// One button: hold, or resume; and what would happen.
import { h } from "../dom.js";
import { ago, clock } from "../format.js";
import { due, section } from "../parts.js";

/** The blocker that a person's hold is, or null. */
export const held = (board) => board.blockers.find((each) => each.code === "FROZEN") ?? null;

export function hold({ board }) {
  const frozen = held(board);
  const running = board.recent_changes.find((move) => move.ended_at === null);
  return section(
    "hold",
    frozen ? "Held" : "Hold",
    frozen
      ? h("p", null, "Nothing is moved", frozen.until ? [" until ", h("b", null, clock(frozen.until)), " (", ago(frozen.until), ")."] : " until somebody resumes.")
      : h("p", null, `Mode ${board.engine.mode}: ${MODES[board.engine.mode] ?? ""}`),
    h("h3", null, frozen ? "If you resume" : "If you hold"),
    h("ul.plain", null, (frozen ? ifResumed(board) : ifHeld(board, running)).map((each) => h("li", null, each))),
    h("button.main", { type: "button", "data-action": frozen ? "resume" : "hold" }, frozen ? "Resume" : "Hold"),
  );
}

const MODES = {
  observe: "orch only looks.",
  suggest: "orch tells what it would do, and moves nothing.",
  approve: "orch moves what you approve.",
  auto: "orch moves by itself what its levers may move by themselves.",
};

export function ifHeld(board, running) {
  const waiting = board.can_reallocate ? "The plan proposed now would not be carried out." : "Nothing would be moved now anyway; see what it waits for.";
  return [
    "No move begins until the time that you choose; it begins again by itself.",
    running ? "The move under way is finished or undone first: limits never stay half set." : "No move is under way.",
    waiting,
    "orch goes on measuring, deciding and warning, and tells what holding costs.",
  ];
}

function ifResumed(board) {
  const others = board.blockers.filter((each) => each.code !== "FROZEN");
  return [
    ["The next decision comes ", due(board.next_decision_at), ", with the figures of that moment."],
    others.length
      ? `A move would still wait: ${others[0].sentence}${others.length > 1 ? ` And ${others.length - 1} more.` : ""}`
      : board.opportunity?.gain_usd_per_hour
        ? "The plan proposed now could then be carried out."
        : "There is nothing to move now.",
  ];
}
