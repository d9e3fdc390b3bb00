/* Each classifier's opinion over time: the probability that it gave one class, below the light curve's times.
 *
 * The data are one {label, mjd, band, probability} a classifier, as elasticc2/opinions_over_time.py writes them.
 */
import { DASH, SHAPES, TimePlot, glyph, group, outline, style, toggle } from "./timeplot.js";

const COLOURS = 8;
const DASHES = [[], [6, 3], [2, 3]];
const RADIUS = 3;
const MARGIN = 0.05;

/* How the classifier of this number is drawn: no two of the first 56 look the same. */
const shapeOf = (number) => Object.keys(SHAPES)[number % Object.keys(SHAPES).length];
const colourOf = (number) => `--series-${(number % COLOURS) + 1}`;
const dashOf = (number) => DASHES[Math.floor(number / COLOURS) % DASHES.length];

/* Points of all classifiers in ascending time. */
function points(histories) {
  const all = histories.flatMap(({ label, mjd, band, probability }, number) =>
    mjd.map((_, k) => ({ number, label, mjd: mjd[k], band: band[k], probability: probability[k] })),
  );
  return all.sort((one, other) => one.mjd - other.mjd || one.number - other.number);
}

export class OpinionsPlot extends TimePlot {
  shape = { share: 0.3, least: 200, most: 300 };

  constructor(place, timeline, histories) {
    super(place, timeline, points(histories));
    this.className = place.dataset.class;
    this.histories = histories;
    this.shown = new Set(histories.keys());
    const chips = histories.map(({ label }, number) => this.chip(label, number));
    this.build(`Probability of ${this.className} over time`, group("Classifiers", ...chips));
  }

  chip(label, number) {
    const mark = glyph(`var(${colourOf(number)})`,
      { d: "M0 8H16", "stroke-dasharray": dashOf(number).join(" ") },
      { d: outline(shapeOf(number), 8, 8, 4.5), fill: "currentcolor", stroke: "none" });
    return toggle([mark, label], this.shown, number, () => this.changed());
  }

  // ---- what TimePlot asks for

  value(point) { return point.probability; }
  visible(point) { return this.shown.has(point.number) && point.probability != null; }
  valueAxis() { return { label: "Probability" }; }
  valueRange() { return [-MARGIN, 1 + MARGIN]; }

  paint(plot) {
    for (const number of this.shown) this.paintHistory(plot, number);
  }

  paintHistory(plot, number) {
    const { ctx } = plot;
    const scale = uPlot.pxRatio;
    const places = this.points.filter((point) => point.number === number && this.visible(point)).map((point) => this.at(plot, point, true));
    if (!places.length) return;
    ctx.strokeStyle = ctx.fillStyle = style(colourOf(number));
    ctx.lineWidth = 1.5 * scale;
    ctx.setLineDash(dashOf(number).map((length) => length * scale));
    ctx.stroke(new Path2D(`M${places.map((place) => place.join(" ")).join("L")}`));
    ctx.setLineDash([]);
    for (const [x, y] of places) ctx.fill(new Path2D(outline(shapeOf(number), x, y, RADIUS * scale)));
  }

  words(point) {
    const probability = point.probability == null ? DASH : point.probability.toFixed(3);
    return `${this.timeline.words(point.mjd)} · ${point.band} · ${point.label} · ${this.className} ${probability}`;
  }
}

/* The part of the page below a choice of class, brought up to what is chosen without loading the page anew. */
export class Opinions {
  constructor(form, part, timeline) {
    [this.form, this.part, this.timeline] = [form, part, timeline];
    this.status = form.querySelector("output");
    form.querySelector("button").hidden = true;
    form.elements.class.addEventListener("change", () => this.change());
    this.draw();
  }

  draw() {
    this.plot?.destroy();
    const place = this.part.querySelector("[data-histories]");
    const data = place && JSON.parse(document.getElementById(place.dataset.histories).textContent);
    this.plot = data && new OpinionsPlot(place, this.timeline, data);
  }

  async change() {
    this.waiting?.abort();
    this.waiting = new AbortController();
    const query = `?${new URLSearchParams(new FormData(this.form))}`;
    try {
      const answer = await fetch(this.form.dataset.part + query, { signal: this.waiting.signal });
      if (!answer.ok || answer.redirected) throw new Error(`${answer.url}: ${answer.status}`);
      this.replace(await answer.text());
      history.replaceState(null, "", query);
    } catch (error) {
      // A later choice took over; else the page as a whole says what is wrong, or asks to log in again.
      if (error.name !== "AbortError") this.form.submit();
    }
  }

  replace(text) {
    const open = this.part.querySelector("details")?.open;
    this.part.innerHTML = text;
    const details = this.part.querySelector("details");
    if (details) details.open = open;
    this.draw();
    this.status.textContent = this.part.querySelector("[data-says]").textContent;
  }
}
