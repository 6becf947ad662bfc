// Figures for people. Unknown is a dash, never a nought; times are relative, with the reader's own clock behind them.
import { h } from "./dom.js";

export const DASH = "—";
export const RESOURCES = [
  { name: "cpu_cores", label: "Processor", unit: "cores", digits: 2 },
  { name: "memory_gb", label: "Memory", unit: "GB", digits: 1 },
  { name: "bandwidth_mbps", label: "Bandwidth", unit: "Mbit/s", digits: 1 },
  { name: "storage_gb", label: "Storage", unit: "GB", digits: 0 },
];

// Making a formatter costs far more than using it, and the page needs few different ones.
const made = new Map();
function formatter(Kind, options) {
  const name = JSON.stringify(options);
  if (!made.has(name)) made.set(name, new Kind(undefined, options));
  return made.get(name);
}

const known = (value) => value !== null && value !== undefined && value !== "" && Number.isFinite(Number(value));

/** A figure that is not known, for eyes and for ears. */
export const unknown = (why = "unknown") => h("span.unknown", { title: why }, DASH, h("span.ears", null, ` ${why}`));

/** A number with at most so many digits after the point, or null. */
export function number(value, digits = 2) {
  if (!known(value)) return null;
  return formatter(Intl.NumberFormat, { maximumFractionDigits: digits }).format(Number(value));
}

// Finer than any of these figures is known to.
const NOUGHT = 1e-7;

/** An amount of money as text, as fine as its size asks for; null when unknown. */
export function money(value, { currency = "USD", sign = false } = {}) {
  if (!known(value)) return null;
  const amount = Number(value);
  const size = Math.abs(amount) < NOUGHT ? 0 : Math.abs(amount);
  const digits = size === 0 || size >= 0.1 ? 2 : Math.min(8, 1 - Math.floor(Math.log10(size)));
  return formatter(Intl.NumberFormat, {
    style: "currency",
    currency,
    currencyDisplay: "narrowSymbol",
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    signDisplay: sign ? "exceptZero" : "auto",
  }).format(size === 0 ? 0 : amount);
}

export const usd = (value, options) => money(value, options) ?? unknown();
export const percent = (value, digits = 0) => (known(value) ? `${number(value, digits)} %` : unknown());

/** A rate in USD per hour as money per day. */
export const perDay = (rate) => (known(rate) ? Number(rate) * 24 : null);

/** "$0.30 to $0.75", or null when an end is missing. */
export function band(low, high, options) {
  if (!known(low) || !known(high)) return null;
  return `${money(low, options)} to ${money(high, options)}`;
}

/** An amount of a resource, with its unit. */
export function amount(resource, value) {
  const kind = RESOURCES.find((each) => each.name === resource);
  if (!known(value)) return unknown();
  if (resource === "storage_gb" && Number(value) >= 1000) return `${number(value / 1000, 2)} TB`;
  return `${number(value, kind?.digits ?? 2)} ${kind?.unit ?? ""}`.trim();
}

export const resourceLabel = (name) => RESOURCES.find((each) => each.name === name)?.label ?? name;

/** Seconds in words: "12 s", "3 min", "5 h", "2 d". */
export function span(seconds) {
  if (!known(seconds)) return null;
  const size = Math.abs(Number(seconds));
  if (size < 90) return `${Math.round(size)} s`;
  if (size < 90 * 60) return `${Math.round(size / 60)} min`;
  if (size < 36 * 3600) return `${Math.round(size / 3600)} h`;
  return `${Math.round(size / 86400)} d`;
}

/** Words for a distance in time: "12 s ago", "in 3 min". */
export function relative(milliseconds) {
  const seconds = milliseconds / 1000;
  if (Math.abs(seconds) < 1) return "now";
  return seconds < 0 ? `${span(seconds)} ago` : `in ${span(seconds)}`;
}

// To load the reader's calendar takes a good part of what it takes to draw the first figures: it comes after them.
let calendar = false;

/** From now on dates are spelt out, too. */
export const loadCalendar = () => (calendar = true);

const CLOCK = { dateStyle: "medium", timeStyle: "medium" };

/** The reader's own date and time of an instant. */
export function clock(iso) {
  return formatter(Intl.DateTimeFormat, CLOCK).format(new Date(iso));
}

/** The reader's time zone, or null before the first figures. */
export const zone = () => (calendar ? formatter(Intl.DateTimeFormat, CLOCK).resolvedOptions().timeZone : null);

/** A time relative to the engine's own clock; it goes on by itself. What is `due` is never past, but now. */
export function ago(iso, kind = "") {
  if (!iso) return unknown(kind === "due" ? "not planned" : "never");
  return h("time", { datetime: iso, "data-relative": kind, title: calendar && `${clock(iso)} (${zone()})` }, "…");
}

/** An age in seconds as stated at `asOf`, which goes on by itself. */
export function age(seconds, asOf) {
  if (!known(seconds)) return unknown();
  return ago(new Date(Date.parse(asOf) - seconds * 1000).toISOString());
}

/** Let every relative time on the page speak for `now` (milliseconds of the engine's clock). */
export function tick(root, now) {
  for (const element of root.querySelectorAll("time[data-relative]")) {
    const left = Date.parse(element.getAttribute("datetime")) - now;
    const said = relative(element.dataset.relative === "due" ? Math.max(0, left) : left);
    if (element.textContent !== said) element.textContent = said;
  }
}

/** One word of trust for a rate, and the sentence behind it. */
export function trust(rate, board, silentForS) {
  if (!rate) return ["unknown", "Nothing is known about it yet."];
  if (silentForS > 30) return ["stale", `orch has said nothing for ${span(silentForS)}.`];
  if (!board.engine.running) return ["stale", "The engine is not running: this is its last word."];
  const price = board.blockers.find((each) => each.code === "PRICE_STALE");
  if (price) return ["stale", price.sentence];
  if (rate.age_s > 7200) return ["stale", `Its newest evidence is ${span(rate.age_s)} old.`];
  if (rate.evidence === "estimated") return ["estimated", "Part of it is the networks' own estimate, not yet acknowledged."];
  if (rate.evidence === "speculative") return ["speculative", "Part of it is points, which are not money yet."];
  return ["fresh", rate.evidence === "settled" ? "All of it is paid." : "The networks acknowledge all of it."];
}

/** "compute, disk and relay". */
export function list(words) {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
