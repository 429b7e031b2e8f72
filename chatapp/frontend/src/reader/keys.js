/** Single keys of the reader, which can be switched off, and the list of them. */

/** @typedef {import("./types.js").Pages} Pages */
/** @typedef {import("./stops.js").Stops} Stops */

const OFF = "reader-keys-off";

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
    this.#switch();
    document.addEventListener("keydown", (event) => this.#pressed(event));
  }

  #switch() {
    const box = /** @type {HTMLInputElement | null} */ (document.querySelector("[data-keys-on]"));
    if (!box) return;
    box.checked = !isOff();
    box.addEventListener("change", () => {
      try {
        if (box.checked) localStorage.removeItem(OFF);
        else localStorage.setItem(OFF, "1");
      } catch {
        // Storage is not allowed: the choice holds for this page.
      }
      this.off = !box.checked;
    });
    this.off = !box.checked;
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || this.dialog?.open) return;
    if (event.target instanceof Element && event.target.closest("input, textarea, select, [contenteditable]"))
      return;
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

function isOff() {
  try {
    return localStorage.getItem(OFF) === "1";
  } catch {
    return false;
  }
}
