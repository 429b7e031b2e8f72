/** Single keys of the reader, which can be switched off, and the list of them. */

import { isForPage, joinSwitch, keysAreOff } from "../lib/key-switch.js";

/** @typedef {import("./types.js").Pages} Pages */
/** @typedef {import("./stops.js").Stops} Stops */

export class Keys {
  /**
   * @param {Stops} stops
   * @param {Pages | null} pages
   */
  constructor(stops, pages) {
    this.stops = stops;
    this.pages = pages;
    this.dialog = /** @type {HTMLDialogElement | null} */ (document.getElementById("keys"));
    const button = /** @type {HTMLElement | null} */ (document.querySelector("[data-keys]"));
    if (button) button.hidden = false;
    button?.addEventListener("click", () => this.dialog?.showModal());
    this.off = keysAreOff();
    const box = /** @type {HTMLInputElement | null} */ (document.querySelector("[data-keys-on]"));
    if (box) {
      joinSwitch(box, (off) => {
        this.off = off;
      });
    }
    document.addEventListener("keydown", (event) => this.#pressed(event));
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    if (this.dialog?.open || !isForPage(event)) return;
    const jump = { PageDown: 1, PageUp: -1 }[event.key];
    if (jump && this.pages) this.pages.step(jump);
    else if (this.off || !this.#letter(event.key)) return;
    event.preventDefault();
  }

  /**
   * @param {string} key
   * @returns {boolean} whether it is one of ours
   */
  #letter(key) {
    if (key === "n") this.stops.step(1);
    else if (key === "p") this.stops.step(-1);
    else if (key === "?") this.dialog?.showModal();
    else if (key === "/") document.getElementById("find")?.focus();
    else if (key === "t") this.#changeView();
    else if (this.pages && (key === "+" || key === "=")) this.pages.zoom("in");
    else if (this.pages && key === "-") this.pages.zoom("out");
    else if (this.pages && key === "0") this.pages.zoom("fit");
    else return false;
    return true;
  }

  #changeView() {
    const link = document.querySelector("[data-view-link]:not([aria-current])");
    if (link instanceof HTMLAnchorElement) location.assign(link.href);
  }
}
