/** The citations of an answer, or the places a search found: to the next and the one before, without leaving a PDF. */

/** @typedef {import("./types.js").ReaderData} ReaderData */
/** @typedef {import("./types.js").Stop} Stop */

export class Stops {
  /** @param {ReaderData} data */
  constructor(data) {
    this.stops = data.stops;
    /** Stops to step through; behind them may stand the range of the address, when it is none of them. */
    this.count = data.count;
    this.index = data.index;
    /** Shows a stop of this document in place; without it the stop's address is opened. @type {((index: number) => void) | null} */
    this.inPlace = null;
    this.label = document.querySelector("[data-stop-now]");
    this.word = this.label?.textContent?.trim().split(" ")[0] ?? "";
    for (const [name, by] of /** @type {[string, number][]} */ ([
      ["before", -1],
      ["after", 1],
    ])) {
      this.#link(name)?.addEventListener("click", (event) => {
        if (!this.inPlace || event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        this.step(by);
      });
    }
    for (const result of document.querySelectorAll("[data-result]")) {
      result.addEventListener("click", (event) => {
        if (
          !this.inPlace ||
          !(event instanceof MouseEvent) ||
          event.ctrlKey ||
          event.metaKey ||
          event.shiftKey
        )
          return;
        event.preventDefault();
        this.open(Number(result.getAttribute("data-result")));
      });
    }
  }

  /** @param {number} by */
  step(by) {
    const next = this.index === null || this.index >= this.count ? 0 : this.index + by;
    if (next < this.count) this.open(next);
  }

  /** @param {number} index */
  open(index) {
    const stop = this.stops[index];
    if (!stop) return;
    if (!stop.here || !this.inPlace) {
      location.assign(stop.link);
      return;
    }
    this.index = index;
    history.replaceState(null, "", stop.link);
    this.inPlace(index);
    this.#draw(stop);
  }

  /** @param {Stop} stop */
  #draw(stop) {
    if (this.label) this.label.textContent = `${this.word} ${(this.index ?? 0) + 1} of ${this.count}`;
    this.#lead("before", this.stops[(this.index ?? 0) - 1]);
    this.#lead("after", this.stops.slice(0, this.count)[(this.index ?? 0) + 1]);
    const unknown = /** @type {HTMLElement | null} */ (document.querySelector("[data-place-unknown]"));
    if (unknown) unknown.hidden = stop.exact;
    for (const link of document.querySelectorAll("[data-text-link], [data-view-link='text']")) {
      link.setAttribute("href", stop.text_link ?? stop.link);
    }
    document.querySelector("[data-view-link='pages']")?.setAttribute("href", stop.link);
    const cells = document.querySelector("[data-marked-place]");
    if (cells) cells.textContent = stop.cells ?? "";
    document.querySelector("[data-copy-quote]")?.setAttribute("data-copy-quote", stop.quote ?? "");
    for (const result of document.querySelectorAll("[data-result]")) {
      if (Number(result.getAttribute("data-result")) === this.index)
        result.setAttribute("aria-current", "true");
      else result.removeAttribute("aria-current");
    }
    document.querySelector("[data-result][aria-current]")?.scrollIntoView({ block: "nearest" });
  }

  /**
   * @param {string} name
   * @param {Stop | undefined} stop
   */
  #lead(name, stop) {
    const link = this.#link(name);
    if (!link) return;
    if (stop) {
      link.setAttribute("href", stop.link);
      link.removeAttribute("aria-disabled");
    } else {
      link.removeAttribute("href");
      link.setAttribute("aria-disabled", "true");
    }
    if (stop && !stop.here) link.setAttribute("title", `In ${stop.title}`);
    else link.removeAttribute("title");
  }

  /** @param {string} name */
  #link(name) {
    return /** @type {HTMLAnchorElement | null} */ (document.querySelector(`[data-stop="${name}"]`));
  }
}
