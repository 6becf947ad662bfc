// What orch did last, why, and what that really brought; and what was left on the table.
import { h } from "../dom.js";
import { ago, perDay, span, unknown, usd } from "../format.js";
import { badge, figure, figures, ratePerDay, reasons, section, table, trouble, VERDICT } from "../parts.js";
import { STATES, VERDICTS } from "../words.js";
import { comparison } from "./report.js";

export function didLast({ board }) {
  const moves = board.recent_changes.slice(0, 3);
  return section(
    "did",
    "What it did last, why, and what that brought",
    moves.length === 0
      ? h("p", null, "Nothing has been moved yet. ", h("a", { href: "#/decisions" }, "Every decision to stay"), " is kept with its reasons.")
      : h("ol.moves", null, moves.map(moveLine)),
    moves.length > 0 && h("p", null, h("a", { href: "#/reallocations" }, "All moves and the switch ledger")),
  );
}

/** One move as a paragraph: when, what, why, foretold and found. */
export function moveLine(move) {
  return h(
    "li",
    { "data-key": move.id },
    h("p", null, h("a", { href: `#/reallocation/${encodeURIComponent(move.id)}` }, ago(move.started_at)), " ",
      badge(STATES[move.state] ?? move.state, { settled: "good", stuck: "bad", rolled_back: "warn" }[move.state] ?? ""), " ",
      move.state === "settled" && badge(VERDICTS[move.verdict] ?? move.verdict, VERDICT[move.verdict] ?? "")),
    h("p", null, move.sentence),
    h("p.quiet", null, "Foretold per day ", ratePerDay(move.predicted_gain_usd_per_hour, { sign: true }), "; found ",
      move.realised_gain_usd_per_hour ? ratePerDay(move.realised_gain_usd_per_hour, { sign: true }) : unknown("not known yet"),
      "; cost ", usd(move.cost_usd), ". ", reasons(move.reasons)),
    move.rolled_back_reason && h("p.notice", null, `Undone: ${move.rolled_back_reason}`),
  );
}

// Against never moving and the best split in hindsight, from the report; and what refusals cost, as predicted.
export function left({ data }) {
  const told = data.report;
  const compared = comparison(told?.value?.comparison);
  const missed = data.missed?.value;
  return section(
    "left",
    "What was left on the table",
    compared ?? h("p", null, told?.value ? "Not enough is recorded yet to tell what the best split in hindsight, or never moving, would have earned." : (trouble(told?.refusal, "this comparison") ?? "Asking for the comparison.")),
    missed && figures(figure("Refused plans would have brought", usd(missed.usd), `as they predicted, over ${span(missed.hours * 3600)}`)),
    trouble(data.missed?.refusal, "what refused plans would have brought"),
  );
}
