/** Entry of the reader: brings the marked words to the middle, and joins bar, keys and the pages of a PDF. */

import { pageData } from "./lib/dom.js";
import { Keys } from "./reader/keys.js";
import { showPages } from "./reader/pages.js";
import { Stops } from "./reader/stops.js";

/** @typedef {import("./reader/types.js").ReaderData} ReaderData */

/** @type {ReaderData} */
const data = pageData("reader-data") ?? {
  view: "text",
  stops: [],
  count: 0,
  index: null,
  page: null,
  sizes: [],
  file: "",
};

function showMatch() {
  const match = document.getElementById("match");
  if (!match?.checkVisibility()) return;
  match.scrollIntoView({ block: "center", inline: "nearest" });
  match.closest(".grid-wrap")?.scrollIntoView({ block: "start" }); // the letters of the columns stay in view
  match.focus({ preventScroll: true });
}

function copyButton() {
  const button = /** @type {HTMLButtonElement | null} */ (document.querySelector("[data-copy-quote]"));
  if (!button) return;
  button.hidden = false;
  const words = button.textContent;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(button.dataset.copyQuote ?? "");
      button.textContent = "Copied";
    } catch {
      button.textContent = "Copying is not allowed here";
    }
    setTimeout(() => {
      button.textContent = words;
    }, 2_000);
  });
}

function versionMenu() {
  const menu = /** @type {HTMLSelectElement | null} */ (document.querySelector("[data-versions]"));
  menu?.addEventListener("change", () => location.assign(menu.value));
}

/** On a small screen the contents would stand between the title and the marked words. */
function foldContents() {
  const contents = document.querySelector(".reader-side details");
  if (contents && matchMedia("(width < 56rem)").matches) contents.removeAttribute("open");
}

foldContents();
copyButton();
versionMenu();
const stops = new Stops(data);
const pages = showPages(data, stops);
new Keys(stops, pages);
if (!pages) showMatch();
