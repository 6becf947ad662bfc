// Net per day, with its age and one word of trust; then what it is made of.
import { h } from "../dom.js";
import { age, band, money, perDay, span, trust, unknown, usd, ago, clock } from "../format.js";
import { silentForS } from "../live.js";
import { badge, figure, figures, leavesOut, netOf, section } from "../parts.js";

const TRUST = { fresh: "good", stale: "bad", estimated: "warn", speculative: "warn", unknown: "warn" };

export function income({ board }) {
  const rate = board.total.usd_per_hour;
  const net = netOf(rate);
  const [word, why] = trust(rate, board, silentForS());
  const out = leavesOut(board.total.leaves_out);
  return section(
    "income",
    "Net per day",
    h(
      "p.hero",
      null,
      h("strong", { id: "net" }, usd(perDay(net))),
      h("span.quiet", null, rate?.net_low !== null && rate?.net_low !== undefined ? `90 %: ${band(perDay(rate.net_low), perDay(rate.net_high))}` : null),
      badge(word, TRUST[word] ?? "", why),
    ),
    h(
      "p",
      null,
      rate ? ["Newest evidence ", age(rate.age_s, board.as_of), ", seen over ", span(rate.window_s), ". "] : null,
      h("span.quiet", null, why),
    ),
    net === null && rate && h("p.notice", null, rate.net_note || "What running costs is not known, so net is not stated: set [costs] in the configuration."),
    out && h("p.notice", null, out, " Every total here does."),
    figures(
      figure("Gross per hour", h("span", null, usd(rate?.mean)), rate && `90 %: ${band(rate.low, rate.high)}, ${rate.evidence}`),
      figure("Gross per day", usd(perDay(rate?.mean)), rate && `90 %: ${band(perDay(rate.low), perDay(rate.high))}`),
      figure("Running costs per day", usd(perDay(rate?.cost?.mean)), rate?.cost && `90 %: ${band(perDay(rate.cost.low), perDay(rate.cost.high))}`),
      beside(board, net ?? rate?.mean ?? null, net === null),
    ),
    h("h3", null, "Earned so far, by how sure it is"),
    figures(
      figure("Settled", usd(board.total.earned_usd.settled), "paid and final"),
      figure("Accrued", usd(board.total.earned_usd.accrued), "acknowledged by the networks"),
      figure("Estimated", usd(board.total.earned_usd.estimated), "the networks' own estimate"),
    ),
  );
}

// The reader's own currency, where one is configured and its rate is known.
function beside(board, rate, gross) {
  const display = board.display;
  if (!display) return null;
  const label = `${gross ? "Gross" : "Net"} per day in ${display.currency}`;
  if (display.usd === null) return figure(label, unknown(display.sentence), display.sentence);
  const value = rate === null ? null : perDay(rate) / Number(display.usd);
  const when = display.observed_at && h("span", { title: clock(display.observed_at) }, "rate of ", ago(display.observed_at));
  return figure(label, money(value, { currency: display.currency }) ?? unknown(), h("span", null, `${display.source ?? ""}, `, when));
}
