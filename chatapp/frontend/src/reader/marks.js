/** The places of the stops on a page, one of them lit strongly. */

import { el } from "../lib/dom.js";

/** @typedef {import("./types.js").Rect} Rect */
/** @typedef {import("./types.js").Stop} Stop */

/**
 * Lay a mark for every rectangle of the stops on one page.
 *
 * @param {HTMLElement} layer
 * @param {Stop[]} stops
 * @param {number} page
 * @param {(rect: Rect) => Partial<CSSStyleDeclaration>} place
 */
export function layMarks(layer, stops, page, place) {
  stops.forEach((stop, index) => {
    for (const rect of stop.rects ?? []) {
      if (rect[0] !== page) continue;
      const mark = el("div", { class: "pdf-mark", "data-stop-index": index });
      Object.assign(mark.style, place(rect));
      layer.append(mark);
    }
  });
}

/**
 * Light the marks of the current stop, the first of which says what it marks.
 *
 * @param {HTMLElement} layer
 * @param {Stop[]} stops
 * @param {number | null} current
 */
export function dressMarks(layer, stops, current) {
  let first = true;
  for (const mark of /** @type {Iterable<HTMLElement>} */ (layer.querySelectorAll(".pdf-mark"))) {
    const lit = Number(mark.dataset.stopIndex) === current;
    mark.classList.toggle("current", lit);
    if (lit && first) {
      first = false;
      mark.tabIndex = -1;
      mark.setAttribute("role", "note");
      mark.setAttribute("aria-label", `Marked words: ${stops[current ?? 0]?.quote ?? ""}`);
    } else {
      for (const name of ["tabindex", "role", "aria-label"]) mark.removeAttribute(name);
    }
  }
}

/**
 * Bring a mark to the upper third of the window, and into the view of what scrolls sideways.
 *
 * @param {HTMLElement} mark
 * @param {HTMLElement} host
 */
export function reveal(mark, host) {
  const box = mark.getBoundingClientRect();
  const room = window.innerHeight - covered();
  window.scrollTo({ top: window.scrollY + box.top - covered() - room * 0.35 });
  const frame = host.getBoundingClientRect();
  if (box.left < frame.left || box.right > frame.right) {
    host.scrollLeft += box.left - frame.left - (frame.width - box.width) / 2;
  }
  if (!document.activeElement?.closest(".stops, .found")) mark.focus({ preventScroll: true });
}

/** @returns {number} pixels at the top that bars lie over */
export function covered() {
  const bar = /** @type {HTMLElement | null} */ (document.querySelector(".reader-bar"));
  return bar ? (Number.parseFloat(getComputedStyle(bar).top) || 0) + bar.offsetHeight : 0;
}
