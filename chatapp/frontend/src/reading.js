/** Entry of the page "How it was read": the outlines of the blocks over their page, joined with the blocks beside it. */

import { pageData } from "./lib/dom.js";
import { pictureViewport, placeOn } from "./reader/geometry.js";
import { Outlines } from "./reading/outlines.js";

/** @typedef {import("./reader/types.js").Rect} Rect */
/**
 * @typedef {{drawn: "pdf" | "picture" | "", file: string, page: number | null, size: [number, number],
 *   outlines: import("./reading/outlines.js").Outline[]}} ReadingData
 */

/** @type {ReadingData | null} */
const data = pageData("reading-data");

function versionMenu() {
  const menu = /** @type {HTMLSelectElement | null} */ (document.querySelector("[data-versions]"));
  menu?.addEventListener("change", () => location.assign(menu.value));
}

/** The row of the chosen page stands in the middle of the strip. */
function showRow() {
  const strip = document.querySelector("[data-strip]");
  const row = strip?.querySelector("[aria-current]");
  if (!strip || !row) return;
  const [frame, box] = [strip, row].map((one) => one.getBoundingClientRect());
  if (frame && box) strip.scrollTop += box.top - frame.top - (frame.height - box.height) / 2;
}

/** @param {string} why */
function failed(why) {
  const notice = /** @type {HTMLElement | null} */ (document.querySelector("[data-sheet-failed]"));
  if (!notice?.hidden) return;
  notice.textContent = `${why} What was read of it is beside.`;
  notice.hidden = false;
  /** @type {HTMLElement | null} */ (document.querySelector("[data-sheet]"))?.setAttribute("hidden", "");
}

/**
 * @param {HTMLElement} host
 * @param {ReadingData} data
 */
function showPdf(host, data) {
  const outlines = new Outlines(data.outlines);
  const { module, worker, parts } = host.dataset;
  const pages = { view: "pages", stops: [], count: 0, index: null, sizes: [data.size], ...data };
  const opened = import(/** @type {string} */ (module)).then(({ openPages }) =>
    openPages({
      host,
      data: pages,
      worker,
      parts,
      only: data.page,
      onLoad: (/** @type {import("./reader/pdf-view.js").Loaded} */ { element, place }) =>
        outlines.layOver(element, place),
      onPage: () => {},
      onZoom: () => {},
      onFail: failed,
    }),
  );
  opened.catch(() => failed("The page cannot be shown in this browser."));
}

/**
 * @param {HTMLElement} host
 * @param {ReadingData} data
 */
function showPicture(host, data) {
  const picture = host.querySelector("img");
  if (!picture) return;
  const why = "This picture cannot be shown in this browser.";
  picture.addEventListener("error", () => failed(why));
  if (picture.complete && !picture.naturalWidth) failed(why);
  const viewport = pictureViewport(data.size);
  new Outlines(data.outlines).layOver(host, (rect) => placeOn(viewport, rect));
}

versionMenu();
showRow();
const host = /** @type {HTMLElement | null} */ (document.querySelector("[data-sheet]"));
if (host && data?.drawn === "pdf") showPdf(host, data);
if (host && data?.drawn === "picture") showPicture(host, data);
