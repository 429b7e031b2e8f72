/** Sizes and places of PDF pages. A scale is CSS pixels for one point; 100% shows a page at its size on paper. */

export const pointPx = 96 / 72;

const STEPS = [0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 3, 4].map((share) => share * pointPx);
const LARGEST_FIT = 1.5 * pointPx;
/** Pixels of one page's picture; more would be tens of megabytes each and nothing a reader sees. */
const MOST_PIXELS = 8_000_000;
const HIGHEST_RATIO = 2;

/**
 * The scale at which the pages fill a width: those of the usual width, for one wide table must not shrink them all.
 *
 * @param {number} width in CSS pixels
 * @param {[number, number][]} sizes in points
 */
export function fitScale(width, sizes) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (const [size] of sizes) counts.set(size, (counts.get(size) ?? 0) + 1);
  const [usual] = [...counts].sort((a, b) => b[1] - a[1] || b[0] - a[0])[0] ?? [612];
  return Math.min(Math.max(width / usual, 0.1), LARGEST_FIT);
}

/**
 * @param {number} scale
 * @param {1 | -1} direction
 */
export function nextScale(scale, direction) {
  const steps = direction > 0 ? STEPS : STEPS.toReversed();
  return steps.find((step) => (step - scale) * direction > 0.02) ?? scale;
}

/** @param {number} scale */
export function percentOf(scale) {
  return Math.round((scale / pointPx) * 100);
}

/**
 * Device pixels for one CSS pixel of a page's picture.
 *
 * @param {number} width
 * @param {number} height
 * @param {number} device
 */
export function pixelRatio(width, height, device) {
  return Math.min(device || 1, HIGHEST_RATIO, Math.sqrt(MOST_PIXELS / Math.max(1, width * height)));
}

/**
 * Where a rectangle stands on its page as drawn, in shares of the page: it stays there at every size.
 *
 * @param {{width: number, height: number, convertToViewportPoint: (x: number, y: number) => number[]}} viewport
 * @param {import("./types.js").Rect} rect
 */
export function placeOn(viewport, [, left, bottom, right, top]) {
  const [x0 = 0, y0 = 0] = viewport.convertToViewportPoint(left, bottom);
  const [x1 = 0, y1 = 0] = viewport.convertToViewportPoint(right, top);
  /** @param {number} part @param {number} whole */
  const share = (part, whole) => `${((100 * part) / whole).toFixed(3)}%`;
  return {
    left: share(Math.min(x0, x1), viewport.width),
    top: share(Math.min(y0, y1), viewport.height),
    width: share(Math.abs(x1 - x0), viewport.width),
    height: share(Math.abs(y1 - y0), viewport.height),
  };
}

/**
 * The page that lies at a height of the window, 1-based; pages come in order.
 *
 * @param {number} line
 * @param {number} count
 * @param {(at: number) => number} topOf
 */
export function pageAt(line, count, topOf) {
  let low = 0;
  let high = count - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (topOf(middle) <= line) low = middle;
    else high = middle - 1;
  }
  return low + 1;
}

/**
 * A viewport for a picture read by text recognition, whose points are its pixels, y upwards.
 *
 * @param {[number, number]} size
 */
export function pictureViewport([width, height]) {
  return {
    width,
    height,
    convertToViewportPoint: (/** @type {number} */ x, /** @type {number} */ y) => [x, height - y],
  };
}
