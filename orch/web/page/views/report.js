// The report of a period, as the engine states it: every figure by its own name and unit.
import { h } from "../dom.js";
import { clock, number, percent, span, unknown, usd } from "../format.js";
import { figure, figures, ratePerDay, section, table, trouble } from "../parts.js";
import { readable } from "../words.js";

const PERIODS = [["24h", "A day"], ["7d", "A week"], ["30d", "30 days"], ["90d", "90 days"], ["365d", "A year"]];
const USUAL = "30d";

export const report = {
  title: () => "Report",
  load(place) {
    place.fetch("report", "report", { period: place.query.get("period") ?? USUAL }, 300);
  },
  render(place) {
    const chosen = place.query.get("period") ?? USUAL;
    const told = place.data.report;
    return [
      h("div.filters", null, h("label", null, "Over", h("select", { "data-query": "period" }, PERIODS.map(([value, words]) => h("option", { value, selected: value === chosen }, words))))),
      told?.value ? parts(told.value) : (trouble(told?.refusal, "reports") ?? h("p.quiet", null, "Asking for the report.")),
    ];
  },
};

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const isRate = (value) => isObject(value) && "low" in value && "mean" in value && "high" in value;
const isPlain = (value) => !isObject(value) || isRate(value);
const isRows = (value) => Array.isArray(value) && value.length > 0 && value.every(isObject);
const title = (name) => readable(name).replace(/\busd\b/g, "USD").replace(/\bpct\b/g, "%").replace(/^./, (first) => first.toUpperCase());

/** One figure by the unit in its name. */
function said(name, value) {
  if (isRate(value)) return h("span", null, ratePerDay(value), h("span.quiet", null, " a day"));
  if (value === null || value === undefined) return unknown();
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.every((each) => !isObject(each)) ? value.join(", ") || "none" : number(value.length);
  if (/_(at|start|end|since|until)$|^(since|until|as_of)$/.test(name)) return clock(value);
  if (/usd/.test(name)) return usd(value);
  if (/_pct$/.test(name)) return percent(value, 1);
  if (/_s$/.test(name)) return span(value);
  return typeof value === "number" ? number(value, 4) : String(value);
}

function parts(value) {
  const names = Object.keys(value).filter((name) => name !== "schema");
  const plain = names.filter((name) => isPlain(value[name]) && !isRows(value[name]));
  const rest = names.filter((name) => !plain.includes(name));
  return [
    plain.length > 0 && section("summary", "In short", figures(plain.map((name) => figure(title(name), said(name, value[name]))))),
    rest.map((name) => section(`report-${name}`, title(name), isRows(value[name]) ? rows(name, value[name]) : inner(name, value[name]))),
  ];
}

function inner(name, value) {
  const names = Object.keys(value);
  if (names.length === 0) return h("p", null, "Nothing.");
  if (names.every((each) => isObject(value[each]) && !isRate(value[each])))
    return rows(name, names.map((each) => ({ name: each, ...value[each] })));
  const plain = names.filter((each) => isPlain(value[each]) && !isRows(value[each]));
  const rest = names.filter((each) => !plain.includes(each));
  return [
    figures(plain.map((each) => figure(title(each), said(each, value[each])))),
    rest.map((each) => [h("h3", null, title(each)), isRows(value[each]) ? rows(each, value[each]) : inner(each, value[each])]),
  ];
}

function rows(name, items) {
  const columns = [...new Set(items.flatMap(Object.keys))].filter((column) => items.every((item) => isPlain(item[column])));
  const kind = (column) => (items.every((item) => typeof item[column] === "number" || item[column] === null || /usd/.test(column)) ? "num" : "");
  return table(title(name), columns.map((column) => [title(column), kind(column)]), items.map((item, index) => ({ key: `${index}-${item[columns[0]]}`, cells: columns.map((column) => said(column, item[column])) })));
}
