/** Keys that lead from citation to citation: "]" to the next chip or badge of the log, "[" back. */

const STOPS = ".chip, .badge";

/**
 * @param {HTMLElement} log
 * @param {KeyboardEvent} event
 * @returns {boolean} whether the key was meant for this
 */
export function moveByKey(log, event) {
  if (event.key !== "[" && event.key !== "]") return false;
  // On many keyboards a bracket needs AltGr, which counts as both of these.
  if (event.metaKey || event.ctrlKey !== event.altKey) return false;
  const target = event.target;
  if (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches("input, textarea, select"))
  ) {
    return false;
  }
  const stops = /** @type {HTMLElement[]} */ ([...log.querySelectorAll(STOPS)]);
  const stop = event.key === "]" ? following(stops, log) : previous(stops, log);
  stop?.scrollIntoView({ block: "nearest" });
  stop?.focus({ preventScroll: true });
  return true;
}

/**
 * @param {HTMLElement[]} stops
 * @param {HTMLElement} log
 */
function following(stops, log) {
  const here = document.activeElement;
  // From outside the log the way begins at the last answer: that is what was just read.
  if (!here || here === log || !log.contains(here)) {
    const last = [...log.querySelectorAll(".answer")].at(-1);
    return stops.find((stop) => last?.contains(stop)) ?? stops[0];
  }
  return stops.find((stop) => here.compareDocumentPosition(stop) & Node.DOCUMENT_POSITION_FOLLOWING);
}

/**
 * @param {HTMLElement[]} stops
 * @param {HTMLElement} log
 */
function previous(stops, log) {
  const here = document.activeElement;
  if (!here || here === log || !log.contains(here)) return stops.at(-1);
  return stops.findLast((stop) => here.compareDocumentPosition(stop) & Node.DOCUMENT_POSITION_PRECEDING);
}
