/** A picture that was read by text recognition, with the places of the words lit on it: a document of one page. */

import { el } from "../lib/dom.js";
import { nextScale, pictureViewport, placeOn, pointPx } from "./geometry.js";
import { covered, dressMarks, layMarks, reveal } from "./marks.js";

/** @typedef {import("./types.js").ReaderData} ReaderData */

/** CSS pixels for one pixel of the picture, at most, when it fits the width. */
const LARGEST_FIT = 1;
const BORDERS = 2;

export class PictureView {
  /**
   * @param {HTMLImageElement} picture
   * @param {{host: HTMLElement, data: ReaderData, onZoom: (percent: number) => void}} options
   */
  constructor(picture, { host, data, onZoom }) {
    this.picture = picture;
    this.host = host;
    this.stops = data.stops;
    this.onZoom = onZoom;
    this.fits = true;
    this.scale = 1;
    this.size = data.sizes[0] ?? [picture.naturalWidth, picture.naturalHeight];
    const viewport = pictureViewport(this.size);
    this.marks = el("div", { class: "pdf-marks" });
    layMarks(this.marks, this.stops, 1, (rect) => placeOn(viewport, rect));
    picture.after(this.marks);
    this.#setScale(this.#fitting());
    let width = host.clientWidth;
    new ResizeObserver(() => {
      if (host.clientWidth === width) return;
      width = host.clientWidth;
      if (this.fits) requestAnimationFrame(() => this.#setScale(this.#fitting()));
    }).observe(host);
    if (data.index !== null && this.stops[data.index]?.here) this.showStop(data.index);
  }

  /** @param {number} index */
  showStop(index) {
    if (!this.stops[index]) return;
    dressMarks(this.marks, this.stops, index);
    const mark = this.marks.querySelector(".current");
    if (mark instanceof HTMLElement) reveal(mark, this.host);
    else this.goTo();
  }

  step() {
    this.goTo();
  }

  goTo() {
    const top = this.host.getBoundingClientRect().top;
    window.scrollTo({ top: window.scrollY + top - covered() - 8 });
  }

  /** @param {"in" | "out" | "fit"} how */
  zoom(how) {
    this.fits = how === "fit";
    const next = () => nextScale(this.scale * pointPx, how === "in" ? 1 : -1) / pointPx;
    this.#setScale(this.fits ? this.#fitting() : next());
  }

  #fitting() {
    return Math.min((this.host.clientWidth - BORDERS) / this.size[0], LARGEST_FIT);
  }

  /** @param {number} scale */
  #setScale(scale) {
    this.scale = scale;
    this.picture.style.maxInlineSize = "none";
    this.picture.style.inlineSize = `${this.size[0] * scale}px`;
    this.onZoom(Math.round(100 * scale));
  }
}
