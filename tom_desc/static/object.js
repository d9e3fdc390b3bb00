/* Puts the plots of an object's page in their places. */
import { LightCurve } from "./lightcurve.js";
import { Opinions } from "./opinions.js";
import { Timeline } from "./timeplot.js";

const place = document.getElementById("plot");
const columns = JSON.parse(document.getElementById(place.dataset.points).textContent);
const timeline = new Timeline(columns.mjd, columns.tai_minus_utc_s);
new LightCurve(place, timeline, columns);

const form = document.getElementById("choose-class");
if (form) new Opinions(form, document.getElementById("over-time"), timeline);
