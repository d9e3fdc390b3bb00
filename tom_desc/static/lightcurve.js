/* The light curve of an object's page, drawn with uPlot.
 *
 * <div data-points="id of a JSON script element" data-unit="nJy"> becomes the plot. The JSON has parallel
 * arrays, one entry a point, as elasticc2/dossier.py (plot_data) writes them; magnitudes, errors and three
 * sigma limits come from the server, so that there is one place where they are computed.
 * Detections are filled, forced points hollow; each band has its colour and its shape (RTN-045).
 * Keys, once the plot has the focus: left and right step through the points, Home and End, + and - zoom.
 */
"use strict";

{
  const BANDS = "ugrizY";
  const RADIUS = 4.5;
  const NEAR = 30;
  const HINT = "Point at a mark, or step through them with the arrow keys, to read it off.";

  /* Outline of a band's marker: corners at these (angle, share of the radius); none: a circle. */
  const polygon = (corners, start) =>
    Array.from({ length: corners }, (_, k) => [start + (k * 2 * Math.PI) / corners, 1.15]);
  const UP = -Math.PI / 2;
  const CORNERS = {
    u: [],
    g: polygon(3, UP),
    r: polygon(3, -UP),
    i: polygon(4, Math.PI / 4),
    z: Array.from({ length: 10 }, (_, k) => [UP + (k * Math.PI) / 5, k % 2 ? 0.55 : 1.35]),
    Y: polygon(5, UP),
  };

  function marker(band, x, y, radius) {
    const path = new Path2D();
    const corners = CORNERS[band] ?? [];
    if (!corners.length) path.arc(x, y, radius, 0, 2 * Math.PI);
    corners.forEach(([angle, share], k) => {
      const place = [x + share * radius * Math.cos(angle), y + share * radius * Math.sin(angle)];
      if (k) path.lineTo(...place);
      else path.moveTo(...place);
    });
    path.closePath();
    return path;
  }

  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const bandColour = (band) => style(`--band-${band}`) || style("--quiet");

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  /* Rows from the parallel arrays, in the order of time they come in. */
  function rows(columns) {
    return columns.mjd.map((_, k) =>
      Object.fromEntries(
        Object.entries(columns)
          .filter(([, values]) => Array.isArray(values))
          .map(([name, values]) => [name, values[k]]),
      ),
    );
  }

  class LightCurve {
    constructor(place, columns) {
      this.points = rows(columns);
      this.unit = place.dataset.unit;
      const present = new Set(columns.band);
      this.bands = [...BANDS, ...[...present].filter((band) => !BANDS.includes(band))].filter((band) => present.has(band));
      this.shown = new Set(this.bands);
      this.mode = "flux";
      this.forced = true;
      this.selected = null;
      this.build(place);
      this.draw();
    }

    // What a point is plotted at, and its one sigma; a limit has no error bar.
    isLimit(point) { return this.mode === "mag" && !point.significant; }
    value(point) {
      if (this.mode === "flux") return point.flux;
      return point.significant ? point.mag : point.limit;
    }
    error(point) {
      if (this.mode === "flux") return point.fluxerr ?? 0;
      return point.significant ? (point.magerr ?? 0) : 0;
    }
    visible(point) {
      return this.shown.has(point.band) && (this.forced || point.detected) && this.value(point) != null;
    }

    // ---- controls

    build(place) {
      this.canvas = element("div", { class: "canvas", tabindex: 0, role: "group" });
      this.canvas.setAttribute("aria-label", "Light curve. Left and right arrow keys step through its points, plus and minus zoom.");
      this.readout = element("output", {}, HINT);
      const key = element("p", { class: "key" },
        "Filled: detections. Hollow: forced photometry. Bars: 1σ. Arrows: 3σ limits where S/N < 3. Drag to zoom, double-click for the whole range.");
      place.append(this.controls(), this.canvas, this.readout, key);
      this.canvas.addEventListener("keydown", (event) => this.key(event));
      this.canvas.addEventListener("mouseleave", () => this.select(null));
      new ResizeObserver(() => this.resize()).observe(this.canvas);
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
        this.paintChips();
        this.plot.redraw();
      });
    }

    controls() {
      const modes = element("div", { class: "group", role: "group", "aria-label": "Vertical axis" },
        this.modeButton("flux", "Flux"), this.modeButton("mag", "Magnitude"));
      this.chips = this.bands.map((band) => this.bandButton(band));
      const bands = element("div", { class: "group", role: "group", "aria-label": "Bands" }, ...this.chips);
      const forced = this.toggle("Forced points", () => { this.forced = !this.forced; return this.forced; });
      const whole = element("button", { type: "button" }, "Whole range");
      whole.addEventListener("click", () => this.draw());
      this.paintChips();
      return element("div", { class: "controls" }, modes, bands, element("div", { class: "group" }, forced, whole));
    }

    modeButton(mode, label) {
      const button = element("button", { type: "button", "aria-pressed": this.mode === mode }, label);
      button.dataset.mode = mode;
      button.addEventListener("click", () => {
        this.mode = mode;
        for (const other of button.parentElement.children) other.setAttribute("aria-pressed", other === button);
        this.draw(this.plot.scales.x);
      });
      return button;
    }

    bandButton(band) {
      const button = this.toggle(band, () => {
        if (!this.shown.delete(band)) this.shown.add(band);
        return this.shown.has(band);
      });
      button.dataset.band = band;
      button.setAttribute("aria-label", `Band ${band}`);
      return button;
    }

    /* A button that is pressed at first; `flip` changes the state and says what it is now. */
    toggle(label, flip) {
      const button = element("button", { type: "button", "aria-pressed": true }, label);
      button.addEventListener("click", () => {
        button.setAttribute("aria-pressed", flip());
        this.select(null);
        this.draw(this.plot.scales.x);
      });
      return button;
    }

    /* Each band's button shows its marker. */
    paintChips() {
      for (const chip of this.chips) {
        const { band } = chip.dataset;
        const corners = CORNERS[band] ?? [];
        const at = ([angle, share]) => `${8 + 5.5 * share * Math.cos(angle)},${8 + 5.5 * share * Math.sin(angle)}`;
        const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
        svg.setAttribute("viewBox", "0 0 16 16");
        svg.setAttribute("aria-hidden", "true");
        const shape = document.createElementNS(svg.namespaceURI, corners.length ? "polygon" : "circle");
        const attributes = corners.length ? { points: corners.map(at).join(" ") } : { cx: 8, cy: 8, r: 5.5 };
        for (const [name, value] of Object.entries({ ...attributes, fill: bandColour(band) })) shape.setAttribute(name, value);
        svg.append(shape);
        chip.querySelector("svg")?.remove();
        chip.prepend(svg);
      }
    }

    // ---- the plot

    size() {
      const width = Math.max(this.canvas.clientWidth, 200);
      return { width, height: Math.round(Math.min(Math.max(width * 0.5, 280), 460)) };
    }

    resize() {
      const { width, height } = this.size();
      if (width !== this.plot.width || height !== this.plot.height) this.plot.setSize({ width, height });
    }

    /* A new plot, of the time range `x` or of all; uPlot cannot turn an axis of a plot that there is. */
    draw(x) {
      const range = x && { min: x.min, max: x.max };
      this.plot?.destroy();
      const times = this.points.map((point) => point.mjd);
      const data = [times, ...this.bands.map((band) => this.points.map((point) => (point.band === band ? this.value(point) : null)))];
      this.plot = new uPlot(this.options(), data, this.canvas);
      if (range) this.plot.setScale("x", range);
    }

    options() {
      const narrow = this.canvas.clientWidth < 500;
      const axis = { stroke: () => style("--ink"), grid: { stroke: () => style("--grid"), width: 1 }, ticks: { stroke: () => style("--line"), width: 1 } };
      const plain = (plot, splits) => splits.map((split) => String(Number(split.toPrecision(9))));
      return {
        ...this.size(),
        legend: { show: false },
        cursor: { points: { show: false }, drag: { x: true, y: false, setScale: true }, y: false },
        scales: {
          x: { time: false, range: (plot, min, max) => this.timeRange(min, max) },
          y: { dir: this.mode === "mag" ? -1 : 1, range: (plot) => this.valueRange(plot) },
        },
        axes: [
          { ...axis, label: "MJD (TAI)", labelSize: 20, space: narrow ? 60 : 80, values: plain },
          { ...axis, label: this.mode === "mag" ? "AB magnitude" : `Flux (${this.unit})`, labelSize: 20, size: 62, values: plain },
        ],
        series: [{}, ...this.bands.map((band) => ({ label: band, show: this.shown.has(band), paths: () => null, points: { show: false } }))],
        hooks: {
          drawAxes: [(plot) => this.drawZero(plot)],
          drawSeries: [(plot, k) => this.drawBand(plot, this.bands[k - 1])],
          draw: [(plot) => this.drawSelected(plot)],
          setCursor: [(plot) => this.hover(plot)],
        },
      };
    }

    timeRange(min, max) {
      const first = this.points[0].mjd, last = this.points.at(-1).mjd;
      if (min == null) return [first - 1, last + 1];
      const whole = min <= first && max >= last;
      const margin = whole ? Math.max((max - min) * 0.03, 0.5) : 0;
      return [min - margin, max + margin];
    }

    /* All visible points in the time range, with their error bars. */
    valueRange(plot) {
      const { min, max } = plot.scales.x;
      let low = Infinity, high = -Infinity;
      for (const point of this.points) {
        if (!this.visible(point) || (min != null && (point.mjd < min || point.mjd > max))) continue;
        low = Math.min(low, this.value(point) - this.error(point));
        high = Math.max(high, this.value(point) + this.error(point));
      }
      if (low > high) return [0, 1];
      const margin = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
      return [low - margin, high + margin];
    }

    /* No light: the line that difference fluxes scatter around. */
    drawZero(plot) {
      const { ctx, bbox } = plot;
      const { min, max } = plot.scales.y;
      if (this.mode !== "flux" || min > 0 || max < 0) return;
      ctx.save();
      ctx.strokeStyle = style("--quiet");
      ctx.lineWidth = uPlot.pxRatio;
      const y = plot.valToPos(0, "y", true);
      ctx.stroke(new Path2D(`M${bbox.left} ${y}H${bbox.left + bbox.width}`));
      ctx.restore();
    }

    place(plot, point, onCanvas) {
      return [plot.valToPos(point.mjd, "x", onCanvas), plot.valToPos(this.value(point), "y", onCanvas)];
    }

    /* A band's points: those forced below, those detected above. */
    drawBand(plot, band) {
      const { ctx, bbox } = plot;
      ctx.save();
      ctx.beginPath();
      ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
      ctx.clip();
      ctx.strokeStyle = bandColour(band);
      const mine = this.points.filter((point) => point.band === band && this.visible(point));
      for (const detected of [false, true]) {
        ctx.fillStyle = detected ? bandColour(band) : style("--ground");
        for (const point of mine) if (point.detected === detected) this.drawPoint(plot, point);
      }
      ctx.restore();
    }

    drawPoint(plot, point) {
      const { ctx } = plot;
      const [x, y] = this.place(plot, point, true);
      const scale = uPlot.pxRatio;
      ctx.lineWidth = 1.3 * scale;
      if (this.isLimit(point)) {
        ctx.globalAlpha = point.detected ? 1 : 0.55;
        ctx.stroke(arrow(x, y, scale));
        ctx.globalAlpha = 1;
        return;
      }
      const error = this.error(point);
      const top = plot.valToPos(this.value(point) + error, "y", true);
      const bottom = plot.valToPos(this.value(point) - error, "y", true);
      ctx.globalAlpha = 0.7;
      ctx.stroke(new Path2D(`M${x} ${top}V${bottom}`));
      ctx.globalAlpha = 1;
      const path = marker(point.band, x, y, RADIUS * scale);
      ctx.fill(path);
      ctx.stroke(path);
    }

    drawSelected(plot) {
      if (!this.selected || !this.visible(this.selected)) return;
      const { ctx } = plot;
      ctx.save();
      ctx.strokeStyle = style("--ink");
      ctx.lineWidth = 2 * uPlot.pxRatio;
      ctx.beginPath();
      ctx.arc(...this.place(plot, this.selected, true), 2 * RADIUS * uPlot.pxRatio, 0, 2 * Math.PI);
      ctx.stroke();
      ctx.restore();
    }

    // ---- reading off points

    hover(plot) {
      const { left, top } = plot.cursor;
      if (left == null || left < 0) return;
      let nearest = null, distance = NEAR;
      for (const point of this.points) {
        if (!this.visible(point)) continue;
        const [x, y] = this.place(plot, point, false);
        const apart = Math.hypot(x - left, y - top);
        if (apart < distance) [nearest, distance] = [point, apart];
      }
      this.select(nearest);
    }

    key(event) {
      const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
      const zoom = { "+": 0.5, "=": 0.5, "-": 2 }[event.key];
      if (step !== undefined) this.step(step);
      else if (zoom !== undefined) this.zoom(zoom);
      else return;
      event.preventDefault();
    }

    step(by) {
      const visible = this.points.filter((point) => this.visible(point));
      if (!visible.length) return;
      const last = visible.length - 1;
      const now = visible.indexOf(this.selected);
      // With nothing selected a step leads in from the side it comes from.
      const next = (now >= 0 ? now : by > 0 ? -1 : last + 1) + by;
      const point = visible[Math.min(Math.max(next, 0), last)];
      const { min, max } = this.plot.scales.x;
      if (point.mjd < min || point.mjd > max) this.plot.setScale("x", { min: point.mjd - (max - min) / 2, max: point.mjd + (max - min) / 2 });
      this.select(point);
    }

    zoom(factor) {
      const { min, max } = this.plot.scales.x;
      const middle = this.selected?.mjd ?? (min + max) / 2;
      this.plot.setScale("x", { min: middle - (middle - min) * factor, max: middle + (max - middle) * factor });
    }

    select(point) {
      if (point === this.selected) return;
      this.selected = point;
      this.readout.textContent = point ? this.words(point) : HINT;
      this.plot.redraw(false, false);
    }

    words(point) {
      const number = (value, places) => (value == null ? "—" : value.toFixed(places));
      const kind = point.detected ? "detection" : "forced";
      const flux = `flux ${number(point.flux, 1)} ± ${number(point.fluxerr, 1)} ${this.unit}`;
      const mag = point.significant ? `${number(point.mag, 3)} ± ${number(point.magerr, 3)} mag` : `fainter than ${number(point.limit, 2)} mag (3σ)`;
      return `MJD ${number(point.mjd, 4)} · ${point.band} · ${kind} · ${flux} · ${mag}`;
    }
  }

  /* A limit: a bar with an arrow downwards, which is where fainter is on both axes. */
  function arrow(x, y, scale) {
    const half = 4 * scale, length = 11 * scale, head = 3 * scale;
    return new Path2D(
      `M${x - half} ${y}H${x + half}M${x} ${y}V${y + length}M${x - head} ${y + length - head}L${x} ${y + length}L${x + head} ${y + length - head}`,
    );
  }

  for (const place of document.querySelectorAll("[data-points]")) {
    new LightCurve(place, JSON.parse(document.getElementById(place.dataset.points).textContent));
  }
}
