/* What the plots of an object's page have in common: the time axis, its zoom, and reading points off.
 *
 * A plot is a region that takes the focus. Keys: left and right step through its points, Home and End, + and -
 * zoom, Shift with left and right moves, 0 or Escape shows all. The mouse drags to zoom, a double click shows all.
 */

export const DASH = "—";
const HINT = "Point at a mark, or step through them with the arrow keys, to read it off.";
const NEAR = 30;
const UNIX_EPOCH_MJD = 40587;
const DAY_MS = 86_400_000;
const SHORTEST_DAYS = 0.01;

// ---- elements and marks

export const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/* A marker's corners at these (angle, share of the radius); none: a circle. */
const UP = -Math.PI / 2;
const polygon = (corners, start) => Array.from({ length: corners }, (_, k) => [start + (k * 2 * Math.PI) / corners, 1.15]);
export const SHAPES = {
  circle: [],
  triangle: polygon(3, UP),
  wedge: polygon(3, -UP),
  square: polygon(4, Math.PI / 4),
  diamond: polygon(4, UP),
  star: Array.from({ length: 10 }, (_, k) => [UP + (k * Math.PI) / 5, k % 2 ? 0.55 : 1.35]),
  pentagon: polygon(5, UP),
};

/* The outline of a marker as SVG and Path2D write it. */
export function outline(shape, x, y, radius) {
  const corners = SHAPES[shape];
  if (!corners.length) return `M${x - radius} ${y}a${radius} ${radius} 0 1 0 ${2 * radius} 0a${radius} ${radius} 0 1 0 ${-2 * radius} 0Z`;
  const places = corners.map(([angle, share]) => `${x + share * radius * Math.cos(angle)} ${y + share * radius * Math.sin(angle)}`);
  return `M${places.join("L")}Z`;
}

/* A small picture of 16 by 16 for a button; each part is a path's attributes, drawn in `colour`. */
export function glyph(colour, ...parts) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.style.color = colour;
  for (const attributes of parts) {
    const path = document.createElementNS(svg.namespaceURI, "path");
    for (const [name, value] of Object.entries({ fill: "none", stroke: "currentcolor", "stroke-width": 1.6, ...attributes })) path.setAttribute(name, value);
    svg.append(path);
  }
  return svg;
}

/* A group of buttons under one name. */
export function group(label, ...buttons) {
  return element("div", { class: "group", role: "group", "aria-label": label }, ...buttons);
}

function button(content, press) {
  const made = element("button", { type: "button" }, ...[content].flat());
  made.addEventListener("click", press);
  return made;
}

/* A button that shows and hides `item` of the set `shown`. */
export function toggle(content, shown, item, changed) {
  const made = button(content, () => {
    if (!shown.delete(item)) shown.add(item);
    made.setAttribute("aria-pressed", shown.has(item));
    changed();
  });
  made.setAttribute("aria-pressed", shown.has(item));
  return made;
}

/* Buttons of which one is pressed: `choices` are [value, label] pairs. */
export function oneOf(label, choices, chosen, choose) {
  const buttons = choices.map(([value, text]) => {
    const made = button(text, () => {
      for (const other of buttons) other.setAttribute("aria-pressed", other === made);
      choose(value);
    });
    made.setAttribute("aria-pressed", value === chosen);
    return made;
  });
  return group(label, ...buttons);
}

// ---- time

/* The time that all plots of a page show: which part of it, and how it is written. MJD is TAI, dates are UTC. */
export class Timeline {
  constructor(times, taiMinusUtcSeconds) {
    const first = times[0], last = times.at(-1);
    const margin = Math.max((last - first) * 0.03, 0.5);
    this.whole = { min: first - margin, max: last + margin };
    this.range = this.whole;
    this.form = "mjd";
    this.taiMinusUtc = taiMinusUtcSeconds * 1000;
    this.plots = new Set();
  }

  /* All plots show this part, or what of it there is. */
  show({ min, max }) {
    const length = Math.min(Math.max(max - min, SHORTEST_DAYS), this.whole.max - this.whole.min);
    const start = Math.min(Math.max(min, this.whole.min), this.whole.max - length);
    if (start === this.range.min && start + length === this.range.max) return;
    this.range = { min: start, max: start + length };
    for (const plot of this.plots) plot.follow();
  }

  showAll() { this.show(this.whole); }

  zoom(factor, middle) {
    const { min, max } = this.range;
    const still = middle >= min && middle <= max ? middle : (min + max) / 2;
    this.show({ min: still - (still - min) * factor, max: still + (max - still) * factor });
  }

  move(share) {
    const { min, max } = this.range;
    this.show({ min: min + share * (max - min), max: max + share * (max - min) });
  }

  write(form) {
    this.form = form;
    for (const plot of this.plots) plot.draw();
  }

  date(mjd) { return new Date((mjd - UNIX_EPOCH_MJD) * DAY_MS - this.taiMinusUtc); }
  mjd(date) { return (date.getTime() + this.taiMinusUtc) / DAY_MS + UNIX_EPOCH_MJD; }

  utc(mjd) { return `${this.date(mjd).toISOString().slice(0, 16).replace("T", " ")} UTC`; }
  words(mjd) { return `MJD ${mjd.toFixed(4)} (${this.utc(mjd)})`; }

  rangeInWords() {
    const words = (mjd) => (this.form === "mjd" ? `MJD ${mjd.toFixed(2)}` : this.utc(mjd));
    return `${words(this.range.min)} to ${words(this.range.max)}`;
  }

  /* uPlot's options of the time axis. */
  axis(narrow) {
    if (this.form === "mjd") return { label: "MJD (TAI)", space: narrow ? 60 : 80, values: plainNumbers };
    return {
      label: "Date (UTC)",
      space: narrow ? 85 : 100,
      splits: (plot, axis, min, max, increment) => this.dates(min, max, increment),
      values: (plot, splits) => this.dateLabels(splits),
    };
  }

  /* Round dates at least `days` apart, as MJD. */
  dates(min, max, days) {
    const step = [1 / 1440, 1 / 288, 1 / 96, 1 / 24, 1 / 8, 1 / 4, 1 / 2, 1, 2, 5, 10].find((step) => step >= days);
    return step ? this.roundDays(min, max, step) : this.roundMonths(min, max, days);
  }

  roundDays(min, max, step) {
    // Days begin at UTC midnight, which is no whole MJD (TAI).
    const midnight = this.mjd(new Date(0));
    const first = Math.ceil((min - midnight) / step), last = Math.floor((max - midnight) / step);
    return Array.from({ length: Math.max(last - first + 1, 0) }, (_, k) => midnight + (first + k) * step);
  }

  roundMonths(min, max, days) {
    const step = [1, 2, 3, 6].find((step) => step * 28 >= days) ?? 12 * Math.ceil(days / 365);
    const start = this.date(min);
    const found = [];
    for (let month = step * Math.floor((start.getUTCFullYear() * 12 + start.getUTCMonth()) / step); ; month += step) {
      const mjd = this.mjd(new Date(Date.UTC(Math.floor(month / 12), month % 12)));
      if (mjd > max) return found;
      if (mjd >= min) found.push(mjd);
    }
  }

  dateLabels(splits) {
    // To the nearest second: an MJD's last digits are less than a millisecond.
    const texts = splits.map((split) => new Date(Math.round(this.date(split).getTime() / 1000) * 1000).toISOString());
    const wholeDays = texts.every((text) => text.slice(11, 16) === "00:00");
    return texts.map((text) => (wholeDays ? text.slice(0, 10) : `${text.slice(11, 16)}\n${text.slice(0, 10)}`));
  }
}

const plainNumbers = (plot, splits) => splits.map((split) => String(Number(split.toPrecision(9))));

// ---- the plot

/* The base of a plot. A plot says what it draws: points (with `mjd`, in ascending order), visible(point), value(point),
 * valueRange(plot), valueAxis(), paint(plot), words(point), and shape: its height as a share of its width, least and most. */
export class TimePlot {
  constructor(place, timeline, points) {
    this.place = place;
    this.timeline = timeline;
    this.points = points;
    this.selected = null;
  }

  /* Puts the plot under its controls; to be called once the plot is ready to draw. */
  build(name, ...controls) {
    this.name = name;
    this.canvas = element("div", { class: "canvas", tabindex: 0, role: "group" });
    this.readout = element("output", {}, HINT);
    this.place.replaceChildren(element("div", { class: "controls" }, ...controls), this.canvas, this.readout);
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("mouseleave", () => this.select(null));
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", this.repaint);
    this.timeline.plots.add(this);
    this.draw();
  }

  destroy() {
    this.observer.disconnect();
    matchMedia("(prefers-color-scheme: dark)").removeEventListener("change", this.repaint);
    this.timeline.plots.delete(this);
    this.plot.destroy();
  }

  repaint = () => this.plot.redraw();

  size() {
    const width = Math.max(this.canvas.clientWidth, 200);
    const { share, least, most } = this.shape;
    return { width, height: Math.round(Math.min(Math.max(width * share, least), most)) };
  }

  resize() {
    const { width, height } = this.size();
    if (width !== this.plot.width || height !== this.plot.height) this.plot.setSize({ width, height });
  }

  /* A new plot; uPlot cannot change the axes of a plot that there is. */
  draw() {
    this.plot?.destroy();
    const times = this.points.map((point) => point.mjd);
    this.plot = new uPlot(this.options(), [times, times.map(() => 0)], this.canvas);
    this.describe();
  }

  describe() {
    this.canvas.setAttribute("aria-label", `${this.name}, ${this.timeline.rangeInWords()}. Left and right arrow keys step through its points, plus and minus zoom, 0 shows all.`);
  }

  /* Something is shown or hidden. */
  changed() {
    this.select(null);
    this.draw();
  }

  /* Another part of the time is shown. */
  follow() {
    this.plot.setScale("x", { ...this.timeline.range });
    this.describe();
  }

  /* What the mouse has dragged over; a click drags over nothing. */
  showSelected(plot) {
    const { left, width } = plot.select;
    if (!width) return;
    plot.setSelect({ left: 0, width: 0 }, false);
    this.timeline.show({ min: plot.posToVal(left, "x"), max: plot.posToVal(left + width, "x") });
  }

  options() {
    const narrow = this.canvas.clientWidth < 500;
    const axis = { stroke: () => style("--ink"), grid: { stroke: () => style("--grid"), width: 1 }, ticks: { stroke: () => style("--line"), width: 1 }, labelSize: 20 };
    const { direction = 1, ...valueAxis } = this.valueAxis();
    return {
      ...this.size(),
      legend: { show: false },
      cursor: { points: { show: false }, drag: { x: true, y: false, setScale: false }, y: false, bind: { dblclick: () => () => this.timeline.showAll() } },
      scales: {
        x: { time: false, range: () => [this.timeline.range.min, this.timeline.range.max] },
        y: { dir: direction, range: (plot) => this.valueRange(plot) },
      },
      axes: [{ ...axis, ...this.timeline.axis(narrow) }, { ...axis, size: 62, values: plainNumbers, ...valueAxis }],
      // One series that draws nothing: marks are painted by paint().
      series: [{}, { paths: () => null, points: { show: false } }],
      hooks: {
        setSelect: [(plot) => this.showSelected(plot)],
        drawSeries: [(plot) => this.paintInside(plot)],
        setCursor: [(plot) => this.hover(plot)],
      },
    };
  }

  at(plot, point, onCanvas) {
    return [plot.valToPos(point.mjd, "x", onCanvas), plot.valToPos(this.value(point), "y", onCanvas)];
  }

  paintInside(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    this.paint(plot);
    if (this.selected) this.paintSelected(plot);
    ctx.restore();
  }

  paintSelected(plot) {
    const { ctx } = plot;
    ctx.strokeStyle = style("--ink");
    ctx.lineWidth = 2 * uPlot.pxRatio;
    ctx.beginPath();
    ctx.arc(...this.at(plot, this.selected, true), 9 * uPlot.pxRatio, 0, 2 * Math.PI);
    ctx.stroke();
  }

  // ---- reading off points

  hover(plot) {
    const { left, top } = plot.cursor;
    if (left == null || left < 0) return;
    let nearest = null, distance = NEAR;
    for (const point of this.points) {
      if (!this.visible(point)) continue;
      const [x, y] = this.at(plot, point, false);
      const apart = Math.hypot(x - left, y - top);
      if (apart < distance) [nearest, distance] = [point, apart];
    }
    this.select(nearest);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    const zoom = { "+": 0.5, "=": 0.5, "-": 2 }[event.key];
    if (zoom) this.zoom(zoom);
    else if (event.key === "0" || event.key === "Escape") this.timeline.showAll();
    else if (step && event.shiftKey && Number.isFinite(step)) this.timeline.move(step / 4);
    else if (step) this.step(step);
    else return;
    event.preventDefault();
  }

  zoom(factor) { this.timeline.zoom(factor, this.selected?.mjd); }

  step(by) {
    const visible = this.points.filter((point) => this.visible(point));
    if (!visible.length) return;
    const last = visible.length - 1;
    const now = visible.indexOf(this.selected);
    // With nothing selected a step leads in from the side it comes from.
    const next = (now >= 0 ? now : by > 0 ? -1 : last + 1) + by;
    const point = visible[Math.min(Math.max(next, 0), last)];
    const { min, max } = this.timeline.range;
    if (point.mjd < min || point.mjd > max) this.timeline.show({ min: point.mjd - (max - min) / 2, max: point.mjd + (max - min) / 2 });
    this.select(point);
  }

  select(point) {
    if (point === this.selected) return;
    this.selected = point;
    this.readout.textContent = point ? this.words(point) : HINT;
    this.plot.redraw(false, false);
  }
}

/* Buttons for who has neither keys nor a mouse. */
export function zoomButtons(plot) {
  const closer = button("+", () => plot.zoom(0.5)), farther = button("−", () => plot.zoom(2));
  closer.setAttribute("aria-label", "Zoom in");
  farther.setAttribute("aria-label", "Zoom out");
  return group("Time range", closer, farther, button("Whole range", () => plot.timeline.showAll()));
}
