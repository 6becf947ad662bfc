// Small pieces that several views are made of.
import { h } from "./dom.js";
import { DASH, ago, amount, band, list, number, perDay, RESOURCES, unknown, usd } from "./format.js";
import { readable, reason } from "./words.js";

/** A section with its heading. */
export const section = (id, title, ...children) =>
  h("section.card", { "aria-labelledby": `${id}-title`, "data-key": id, id }, h("h2", { id: `${id}-title` }, title), ...children);

/** A table: `columns` are [heading, class]; `rows` are {key, cells, class}. The first cell of a row names it. */
export function table(caption, columns, rows, { quiet = true } = {}) {
  return h(
    "div.scroll",
    { tabindex: "0", role: "region", "aria-label": caption },
    h(
      "table",
      null,
      h(quiet ? "caption.ears" : "caption", null, caption),
      h("thead", null, h("tr", null, columns.map(([title, kind]) => h("th", { scope: "col", class: kind ?? "" }, title)))),
      h("tbody", null, rows.map((row) => h("tr", { "data-key": row.key, class: row.kind ?? "" }, row.cells.map((cell, index) =>
        index === 0
          ? h("th", { scope: "row", class: columns[0][1] ?? "" }, cell)
          : h("td", { class: columns[index][1] ?? "", "data-label": columns[index][0] }, cell),
      )))),
    ),
  );
}

/** A labelled figure with a line of small print. */
export const figure = (label, value, small, kind = "") =>
  h(`div.figure${kind && `.${kind}`}`, { "data-key": `figure-${label}` }, h("dt", null, label), h("dd", null, value), small && h("dd.quiet", null, small));

/** Figures side by side. */
export const figures = (...all) => h("dl.figures", null, all);

/** A rate as money per day with its band. */
export function ratePerDay(rate, { sign = false } = {}) {
  if (!rate) return unknown();
  const between = rate.low === rate.high ? null : band(perDay(rate.low), perDay(rate.high), { sign });
  return h("span", null, h("strong", null, usd(perDay(rate.mean), { sign })), between && h("span.quiet", null, ` (${between})`));
}

/** The net side of a rate when it is known. */
export const netOf = (rate) =>
  rate && rate.net_mean !== null && rate.net_mean !== undefined ? rate.net_mean : null;

/** A coloured word. */
export const badge = (word, kind = "", title = null) => h(`span.badge${kind && `.${kind}`}`, { title }, word);

export const HEALTH = { online: "good", degraded: "warn", offline: "bad", unknown: "warn" };
export const VERDICT = { paid: "good", lost: "bad", pending: "", inconclusive: "" };

/** Reason codes as words. */
export const reasons = (codes) => h("span.codes", null, codes.map((code) => h("span.badge", { title: code, "data-key": code }, reason(code))));

/** What stands in the way, each once, with until when. */
export const blockerList = (blockers) =>
  h("ul.plain", null, blockers.map((each, index) =>
    h("li", { "data-key": `${each.code}-${each.node}-${index}` }, each.sentence, each.until && [" ", ago(each.until)])));

/** What is changed, in words: "compute: Processor 2 → 11 cores". */
export function changes(from, to) {
  const lines = [];
  for (const [node, wanted] of Object.entries(to ?? {})) {
    for (const { name, label } of RESOURCES) {
      const before = from?.[node]?.[name];
      if (wanted[name] === null || before === null || before === undefined) continue;
      if (Math.abs(wanted[name] - before) > 1e-9 * Math.max(1, Math.abs(before)))
        lines.push(h("li", { "data-key": `${node}-${name}` }, h("b", null, node), ` ${label}: `, amount(name, before), " → ", amount(name, wanted[name])));
    }
  }
  return lines.length ? h("ul.plain", null, lines) : h("p.quiet", null, "Nothing changes.");
}

/** What one more unit of a resource brings a day; storage by the terabyte. */
export function worth(resource, usdPerHour) {
  if (usdPerHour === null || usdPerHour === undefined) return unknown("not known");
  const { unit, per } = { cpu_cores: { unit: "core", per: 1 }, memory_gb: { unit: "GB", per: 1 }, bandwidth_mbps: { unit: "Mbit/s", per: 1 }, storage_gb: { unit: "TB", per: 1000 } }[resource];
  return h("span", null, usd(perDay(usdPerHour * per)), h("span.quiet", null, ` per ${unit}`));
}

/** When something that is to come comes: relative, and "now" once its time has passed. */
export const due = (iso) => ago(iso, "due");

/** What went wrong with a question, honestly. */
export function trouble(refusal, what) {
  if (!refusal) return null;
  if (refusal.missing) return h("p.notice", null, `This engine does not offer ${what}.`);
  return h("p.notice", { role: "status" }, `${what[0].toUpperCase()}${what.slice(1)} cannot be shown: ${refusal.message}`);
}

/** A sentence on what a total leaves out, or null. */
export const leavesOut = (nodes) => (nodes.length ? `Leaves out ${list(nodes)}: what ${nodes.length === 1 ? "it earns" : "they earn"} is unknown.` : null);

export const nodeLink = (name) => h("a", { href: `#/node/${encodeURIComponent(name)}` }, name);
export { DASH, number, readable };
