/** Pages of training: what is live is drawn anew until it is over, the curve of a run from its figures. */

import { api } from "./lib/api.js";

const SECONDS = 2;
const SVG = "http://www.w3.org/2000/svg";
const WIDEST = 640;
const NARROWEST = 280;
const HEIGHT = 240;
const LEFT = 48;
const BOTTOM = 24;
const TOP = 8;

/** @typedef {{step: number, loss: number | null, eval_loss: number | null}} Point */
/** @typedef {{step: number, value: number}} Value */

/**
 * @param {Point[]} points
 * @param {"loss" | "eval_loss"} name
 * @returns {Value[]}
 */
export function valuesOf(points, name) {
  return points.flatMap((point) => {
    const value = point[name];
    return value === null ? [] : [{ step: point.step, value }];
  });
}

/**
 * Say where a value lies in the picture.
 *
 * @param {Value[]} values all that are drawn
 * @param {number} lastStep
 * @param {number} [width] of the whole picture
 */
export function scaleOf(values, lastStep, width = WIDEST) {
  const all = values.map(({ value }) => value);
  const low = Math.min(...all);
  const high = Math.max(...all);
  const span = high - low || 1;
  const drawn = width - LEFT - 8;
  const height = HEIGHT - TOP - BOTTOM;
  return {
    low,
    high,
    x: (/** @type {number} */ step) => LEFT + (lastStep ? (step / lastStep) * drawn : 0),
    y: (/** @type {number} */ value) => TOP + height - ((value - low) / span) * height,
  };
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {string} [text]
 */
function shape(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (text !== undefined) made.textContent = text;
  return made;
}

/**
 * @param {Point[]} points
 * @param {number} steps
 * @param {number} width
 */
function picture(points, steps, width) {
  const losses = valuesOf(points, "loss");
  const held = valuesOf(points, "eval_loss");
  const last = Math.max(steps, ...points.map(({ step }) => step));
  const { low, high, x, y } = scaleOf([...losses, ...held], last, width);
  const label = `Loss over ${last} steps, between ${low.toFixed(3)} and ${high.toFixed(3)}`;
  const svg = shape("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": label });
  const line = (/** @type {Value[]} */ values) =>
    values.map(({ step, value }) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  svg.append(
    shape("path", { class: "axis", d: `M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${width - 8}` }),
    shape("text", { x: LEFT - 6, y: TOP + 10, "text-anchor": "end" }, high.toFixed(2)),
    shape("text", { x: LEFT - 6, y: HEIGHT - BOTTOM, "text-anchor": "end" }, low.toFixed(2)),
    shape("text", { x: LEFT, y: HEIGHT - 6 }, "0"),
    shape("text", { x: width - 8, y: HEIGHT - 6, "text-anchor": "end" }, `step ${last}`),
    shape("polyline", { class: "train", points: line(losses) }),
    shape("polyline", { class: "held", points: line(held) }),
    ...held.map(({ step, value }) => shape("circle", { class: "held", cx: x(step), cy: y(value), r: 3.5 })),
  );
  return svg;
}

class Curve extends HTMLElement {
  connectedCallback() {
    this.#draw();
  }

  async #draw() {
    let open = true;
    try {
      const run = await api(`/training-runs/${this.dataset.run}`);
      open = run.state === "queued" || run.state === "running";
      const width = Math.max(NARROWEST, Math.min(WIDEST, this.clientWidth)); // letters keep their size
      if (valuesOf(run.points, "loss").length > 1)
        this.replaceChildren(picture(run.points, run.max_steps, width));
    } catch (error) {
      console.warn("the run could not be asked for", error);
    }
    if (open && this.isConnected) setTimeout(() => this.#draw(), SECONDS * 1000);
  }
}

customElements.define("fn-curve", Curve);

/** Put the parts of a page as the server draws them now in place of those shown. @param {Document} page */
function renew(page) {
  for (const fresh of page.querySelectorAll("[data-part]")) {
    const name = fresh.getAttribute("data-part") ?? "";
    const shown = document.querySelector(`[data-part="${CSS.escape(name)}"]`);
    const used = shown?.contains(document.activeElement) || shown?.querySelector("details[open]");
    if (shown && !used) shown.replaceWith(document.importNode(fresh, true));
  }
}

/** @param {RequestInit} [request] */
async function fetched(request) {
  const reply = await fetch(location.href, { ...request, headers: { accept: "text/html" } });
  if (reply.redirected) location.reload(); // signed out: the page itself says so
  return new DOMParser().parseFromString(await reply.text(), "text/html");
}

async function follow() {
  if (!document.querySelector("[data-live]")) return;
  try {
    if (!document.hidden) renew(await fetched());
  } catch (error) {
    console.warn("the page could not be asked for", error);
  }
  setTimeout(follow, SECONDS * 1000);
}

// Another choice has other defaults, and takes another time: the form comes back with what was typed in.
const form = document.querySelector("[data-new-run]");
form?.addEventListener("change", ({ target }) => {
  const reckon = form.querySelector('[name="reckon"]');
  if (target instanceof HTMLElement && reckon instanceof HTMLButtonElement) {
    if (target.matches("select, [type=radio]")) reckon.click();
  }
});

setTimeout(follow, SECONDS * 1000);
