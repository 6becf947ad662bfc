// Charts, each with its table beside it. Without the chart library the tables stand alone, open.
import { h } from "./dom.js";
import { DASH, clock } from "./format.js";
import { table } from "./parts.js";

const wanted = new Map();
const drawn = new Map();
let coming = null;
let library = null;
let missing = false;

/**
 * A chart's place on the page. `chart` is {lines: [{name, points: [[iso, value]]}], stepS, format, stacked, unit};
 * a step without a figure is a gap.
 */
export function chart(id, title, definition) {
  const times = grid(definition);
  const known = times.length > 0;
  wanted.set(id, { ...definition, times });
  return h(
    "figure.chart",
    { "data-key": id },
    h("figcaption", null, title),
    known && !missing && h("div.canvas", { "data-chart": id, "data-keep": "", "aria-hidden": "true" }),
    known && h("p.legend", null, definition.lines.map((line, index) => h("span", { "data-key": line.name }, h(`i.swatch.node-${colour(line, index)}`), line.name))),
    known
      ? h("details", { open: missing, "data-key": missing ? "table-alone" : "table" }, h("summary", null, "The same as a table"), beside(title, definition, times))
      : h("p.quiet", null, "No figures for this time yet."),
    missing && known && h("p.quiet", null, "Charts are missing in this installation: the chart library could not be built. Installing again with npm's registry in reach brings them."),
  );
}

const colour = (line, index) => (line.colour ?? index) % 8;

function grid({ lines, stepS }) {
  const stamps = [...new Set(lines.flatMap((line) => line.points.map(([when]) => Date.parse(when))))].sort((a, b) => a - b);
  const times = [];
  for (const stamp of stamps) {
    for (let gap = (times.at(-1) ?? stamp) + stepS * 1000; gap < stamp - stepS * 500 && times.length < 5000; gap += stepS * 1000) times.push(gap);
    times.push(stamp);
  }
  return times;
}

const MOST_ROWS = 60;

function beside(title, { lines, format }, times) {
  const values = lines.map((line) => new Map(line.points.map(([when, value]) => [Date.parse(when), value])));
  const shown = times.slice(-MOST_ROWS).reverse();
  const columns = [["Time"], ...lines.map((line) => [line.name, "num"])];
  const rows = shown.map((when) => ({
    key: String(when),
    cells: [clock(when), ...values.map((each) => (each.has(when) ? format(each.get(when)) : DASH))],
  }));
  const said = times.length > MOST_ROWS ? `${title}, newest ${MOST_ROWS} of ${times.length} steps` : title;
  return table(said, columns, rows);
}

/** Begin to load the chart library, before there is anything to draw. */
export function fetchLibrary() {
  coming ??= import("./vendor/echarts.js").catch(() => null);
  return coming;
}

/** Draw what has changed; called after the page was brought up to date. */
export async function paint() {
  for (const [id, { instance, element }] of drawn) {
    if (element.isConnected) continue;
    instance.dispose();
    drawn.delete(id);
  }
  const places = [...document.querySelectorAll("[data-chart]")];
  if (places.length === 0 || missing) return false;
  if (library === null) {
    library = await fetchLibrary();
    if (library === null) {
      missing = true;
      return true;
    }
  }
  for (const element of document.querySelectorAll("[data-chart]")) draw(element);
  return false;
}

function draw(element) {
  const id = element.dataset.chart;
  const definition = wanted.get(id);
  const says = JSON.stringify([definition.lines, scheme()]);
  const known = drawn.get(id);
  if (known?.says === says && known.element === element) return;
  const instance = known?.element === element ? known.instance : library.init(element, null, { renderer: "canvas" });
  instance.setOption(option(definition), true);
  if (!known) performance.mark("orch-chart");
  drawn.set(id, { instance, element, says });
}

const scheme = () => getComputedStyle(document.documentElement).colorScheme + matchMedia("(prefers-color-scheme: dark)").matches;

function option({ lines, times, format, stacked, stepped }) {
  const probe = document.getElementById("probe") ?? document.body.appendChild(h("i", { id: "probe", hidden: true }));
  const ink = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const text = ink("--quiet");
  const series = lines.map((line, index) => {
    const values = new Map(line.points.map(([when, value]) => [Date.parse(when), value]));
    const shade = ink(`--node-${colour(line, index)}`);
    return {
      name: line.name,
      type: "line",
      step: stepped ? "end" : false,
      stack: stacked ? "all" : undefined,
      areaStyle: stacked ? { color: shade, opacity: 0.75 } : undefined,
      lineStyle: { color: shade, width: stacked ? 1 : 2, type: line.dashed ? "dashed" : "solid" },
      itemStyle: { color: shade },
      showSymbol: times.length < 3,
      connectNulls: false,
      data: times.map((when) => [when, values.get(when) ?? null]),
    };
  });
  return {
    animation: false,
    textStyle: { fontFamily: "system-ui, sans-serif" },
    grid: { left: 8, right: 14, top: 14, bottom: 8, containLabel: true },
    tooltip: {
      trigger: "axis",
      renderMode: "richText",
      confine: true,
      backgroundColor: ink("--card"),
      borderColor: ink("--line"),
      textStyle: { color: ink("--ink"), fontSize: 12 },
      valueFormatter: (value) => (value === null || value === undefined ? DASH : format(value)),
    },
    xAxis: { type: "time", axisLabel: { color: text, hideOverlap: true }, axisLine: { lineStyle: { color: ink("--line") } } },
    yAxis: { type: "value", axisLabel: { color: text, formatter: format }, splitLine: { lineStyle: { color: ink("--line") } } },
    series,
  };
}

addEventListener("resize", () => drawn.forEach(({ instance }) => instance.resize()));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => paint());
