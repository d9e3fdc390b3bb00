/* The light curve of an object's page.
 *
 * The data are parallel arrays, one entry a point, as elasticc2/dossier.py (plot_data) writes them; magnitudes, errors
 * and three sigma limits come from the server, so that there is one place where they are computed.
 * Detections are filled, forced points hollow; each band has its colour and its shape (RTN-045).
 */
import { DASH, TimePlot, element, glyph, group, oneOf, outline, style, toggle, zoomButtons } from "./timeplot.js";

const SHAPE_OF_BAND = { u: "circle", g: "triangle", r: "wedge", i: "square", z: "star", Y: "pentagon" };
const BANDS = Object.keys(SHAPE_OF_BAND);
const RADIUS = 4.5;
// What a mark stands for, as its button shows it.
const KINDS = {
  detection: ["Detections", { d: outline("circle", 8, 8, 4.5), fill: "currentcolor" }],
  forced: ["Forced", { d: outline("circle", 8, 8, 4.5) }],
  limit: ["3σ limits", { d: arrow(8, 3, 1) }],
};

const shapeOf = (band) => SHAPE_OF_BAND[band] ?? "circle";
const colourOf = (band) => style(`--band-${band}`) || style("--quiet");

/* Rows from the parallel arrays, in the order of time they come in. */
function rows(columns) {
  return columns.mjd.map((_, k) =>
    Object.fromEntries(Object.entries(columns).filter(([, values]) => Array.isArray(values)).map(([name, values]) => [name, values[k]])),
  );
}

/* A limit: a bar with an arrow downwards, which is where fainter is. */
function arrow(x, y, scale) {
  const half = 4 * scale, length = 11 * scale, head = 3 * scale;
  return `M${x - half} ${y}H${x + half}M${x} ${y}V${y + length}M${x - head} ${y + length - head}L${x} ${y + length}L${x + head} ${y + length - head}`;
}

export class LightCurve extends TimePlot {
  shape = { share: 0.5, least: 280, most: 460 };

  constructor(place, timeline, columns) {
    super(place, timeline, rows(columns));
    this.unit = place.dataset.unit;
    const present = new Set(columns.band);
    this.bands = [...BANDS, ...[...present].filter((band) => !BANDS.includes(band))].filter((band) => present.has(band));
    this.shown = new Set([...this.bands, ...Object.keys(KINDS)]);
    this.mode = "flux";
    this.build("Light curve", ...this.controls());
    place.append(element("p", { class: "key" }, "Bars: 1σ. Drag to zoom, double-click for all; keys: arrows step, Shift moves, + and − zoom, 0 for all."));
  }

  // What a point is plotted at, and its one sigma; a limit has no error bar.
  isLimit(point) { return this.mode === "mag" && !point.significant; }
  kind(point) { return this.isLimit(point) ? "limit" : point.detected ? "detection" : "forced"; }
  value(point) {
    if (this.mode === "flux") return point.flux;
    return point.significant ? point.mag : point.limit;
  }
  error(point) {
    if (this.mode === "flux") return point.fluxerr ?? 0;
    return point.significant ? (point.magerr ?? 0) : 0;
  }
  visible(point) {
    return this.shown.has(point.band) && this.shown.has(this.kind(point)) && this.value(point) != null;
  }

  controls() {
    const modes = oneOf("Vertical axis", [["flux", "Flux"], ["mag", "Magnitude"]], this.mode, (mode) => this.setMode(mode));
    const times = oneOf("Time axis", [["mjd", "MJD"], ["date", "Date"]], this.timeline.form, (form) => this.timeline.write(form));
    const bands = this.bands.map((band) => this.bandButton(band));
    const kinds = Object.entries(KINDS).map(([kind, [label, mark]]) =>
      toggle([glyph("var(--ink)", mark), label], this.shown, kind, () => this.changed()));
    this.limits = kinds.at(-1);
    this.limits.hidden = true;
    return [modes, times, group("Bands", ...bands), group("Points", ...kinds), zoomButtons(this)];
  }

  bandButton(band) {
    const mark = glyph(`var(--band-${band}, var(--quiet))`, { d: outline(shapeOf(band), 8, 8, 5.5), fill: "currentcolor", stroke: "none" });
    const button = toggle([mark, band], this.shown, band, () => this.changed());
    button.dataset.band = band;
    button.setAttribute("aria-label", `Band ${band}`);
    return button;
  }

  setMode(mode) {
    this.mode = mode;
    this.limits.hidden = mode === "flux";
    this.changed();
  }

  // ---- what TimePlot asks for

  valueAxis() {
    return this.mode === "mag" ? { label: "AB magnitude", direction: -1 } : { label: `Flux (${this.unit})` };
  }

  /* All visible points in the time range, with their error bars. */
  valueRange() {
    const { min, max } = this.timeline.range;
    let low = Infinity, high = -Infinity;
    for (const point of this.points) {
      if (!this.visible(point) || point.mjd < min || point.mjd > max) continue;
      low = Math.min(low, this.value(point) - this.error(point));
      high = Math.max(high, this.value(point) + this.error(point));
    }
    if (low > high) return [0, 1];
    const margin = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
    return [low - margin, high + margin];
  }

  paint(plot) {
    this.paintZero(plot);
    for (const band of this.bands) this.paintBand(plot, band);
  }

  /* No light: the line that difference fluxes scatter around. */
  paintZero(plot) {
    const { ctx, bbox } = plot;
    const { min, max } = plot.scales.y;
    if (this.mode !== "flux" || min > 0 || max < 0) return;
    ctx.strokeStyle = style("--quiet");
    ctx.lineWidth = uPlot.pxRatio;
    const y = plot.valToPos(0, "y", true);
    ctx.stroke(new Path2D(`M${bbox.left} ${y}H${bbox.left + bbox.width}`));
  }

  /* A band's points: those forced below, those detected above. */
  paintBand(plot, band) {
    const { ctx } = plot;
    const colour = colourOf(band), ground = style("--ground");
    ctx.strokeStyle = colour;
    const mine = this.points.filter((point) => point.band === band && this.visible(point));
    for (const detected of [false, true]) {
      ctx.fillStyle = detected ? colour : ground;
      for (const point of mine) if (point.detected === detected) this.paintPoint(plot, point);
    }
  }

  paintPoint(plot, point) {
    const { ctx } = plot;
    const [x, y] = this.at(plot, point, true);
    const scale = uPlot.pxRatio;
    ctx.lineWidth = 1.3 * scale;
    if (this.isLimit(point)) {
      ctx.globalAlpha = point.detected ? 1 : 0.55;
      ctx.stroke(new Path2D(arrow(x, y, scale)));
      ctx.globalAlpha = 1;
      return;
    }
    const error = this.error(point);
    const top = plot.valToPos(this.value(point) + error, "y", true);
    const bottom = plot.valToPos(this.value(point) - error, "y", true);
    ctx.globalAlpha = 0.7;
    ctx.stroke(new Path2D(`M${x} ${top}V${bottom}`));
    ctx.globalAlpha = 1;
    const path = new Path2D(outline(shapeOf(point.band), x, y, RADIUS * scale));
    ctx.fill(path);
    ctx.stroke(path);
  }

  words(point) {
    const number = (value, places) => (value == null ? DASH : value.toFixed(places));
    const kind = point.detected ? "detection" : "forced";
    const flux = `flux ${number(point.flux, 1)} ± ${number(point.fluxerr, 1)} ${this.unit}`;
    const mag = point.significant ? `${number(point.mag, 3)} ± ${number(point.magerr, 3)} mag` : `fainter than ${number(point.limit, 2)} mag (3σ)`;
    return `${this.timeline.words(point.mjd)} · ${point.band} · ${kind} · ${flux} · ${mag}`;
  }
}
