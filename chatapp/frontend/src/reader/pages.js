/** Loads the pages where a document has them, joins them with the bar, and falls back to the text when that fails. */

import { PictureView } from "./picture-view.js";

/** @typedef {import("./types.js").ReaderData} ReaderData */
/** @typedef {import("./types.js").Pages} Pages */
/** @typedef {import("./stops.js").Stops} Stops */

/**
 * @param {ReaderData} data
 * @param {Stops} stops
 * @returns {Pages | null} null where the text is shown
 */
export function showPages(data, stops) {
  const host = /** @type {HTMLElement | null} */ (document.querySelector("[data-pages]"));
  if (!host || data.view !== "pages") return null;
  /** @type {Promise<Pages>} */
  const opened = data.drawn === "picture" ? openPicture(host, data, showText) : openPdf(host, data, showText);
  opened.catch(() => showText("The pages cannot be shown in this browser."));
  /** @param {(pages: Pages) => void} action */
  const later = (action) => void opened.then(action, () => {});
  stops.inPlace = (index) => later((pages) => pages.showStop(index));
  /** @type {Pages} */
  const pages = {
    showStop: (index) => later((opened) => opened.showStop(index)),
    step: (by) => later((opened) => opened.step(by)),
    goTo: (page) => later((opened) => opened.goTo(page)),
    zoom: (how) => later((opened) => opened.zoom(how)),
  };
  joinBar(pages);
  return pages;

  /** @param {string} why */
  function showText(why) {
    const reader = document.querySelector(".reader");
    if (reader?.getAttribute("data-view") === "text") return; // it was said why
    stops.inPlace = null;
    const notice = /** @type {HTMLElement | null} */ (document.querySelector("[data-pages-failed]"));
    if (notice) {
      notice.textContent = `${why} Here is the text.`;
      notice.hidden = false;
    }
    reader?.setAttribute("data-view", "text");
    document.getElementById("match")?.scrollIntoView({ block: "center" });
  }
}

/**
 * @param {HTMLElement} host
 * @param {ReaderData} data
 * @param {(why: string) => void} onFail
 * @returns {Promise<Pages>}
 */
async function openPdf(host, data, onFail) {
  const { module, worker, parts } = host.dataset;
  const { openPages } = await import(/** @type {string} */ (module));
  return openPages({ host, data, worker, parts, onPage: showPageNumber, onZoom: showZoom, onFail });
}

/**
 * @param {HTMLElement} host
 * @param {ReaderData} data
 * @param {(why: string) => void} onFail
 * @returns {Promise<Pages>}
 */
async function openPicture(host, data, onFail) {
  const picture = /** @type {HTMLImageElement} */ (host.querySelector("img"));
  try {
    await picture.decode();
  } catch (error) {
    onFail("This picture cannot be shown in this browser.");
    throw error;
  }
  return new PictureView(picture, { host, data, onZoom: showZoom });
}

/** @param {Pages} pages */
function joinBar(pages) {
  for (const button of document.querySelectorAll("[data-zoom]")) {
    const how = /** @type {"in" | "out" | "fit"} */ (button.getAttribute("data-zoom"));
    button.addEventListener("click", () => pages.zoom(how));
  }
  for (const button of document.querySelectorAll("[data-page-step]")) {
    if (button instanceof HTMLElement) button.hidden = false;
    button.addEventListener("click", () => pages.step(Number(button.getAttribute("data-page-step"))));
  }
  for (const link of document.querySelectorAll("[data-go-to]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      pages.goTo(Number(link.getAttribute("data-go-to")));
    });
  }
  const form = /** @type {HTMLFormElement | null} */ (document.querySelector("[data-page-form]"));
  const input = pageInput();
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    if (input) pages.goTo(Number(input.value));
  });
  input?.addEventListener("change", () => pages.goTo(Number(input.value)));
}

/** @param {number} page */
function showPageNumber(page) {
  const input = pageInput();
  if (input && document.activeElement !== input) input.value = String(page);
}

/** @param {number} percent */
function showZoom(percent) {
  const label = document.querySelector("[data-zoom-now]");
  if (label) label.textContent = `${percent}%`;
}

function pageInput() {
  return /** @type {HTMLInputElement | null} */ (document.querySelector("[data-page-now]"));
}
