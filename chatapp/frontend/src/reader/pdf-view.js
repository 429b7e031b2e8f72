/** The pages of a PDF below each other: drawn when they come into view, with the places of the words lit on them. */

import { TextLayer } from "pdfjs-dist/legacy/build/pdf.mjs";
import { el } from "../lib/dom.js";
import { fitScale, nextScale, pageAt, percentOf, pixelRatio, placeOn, pointPx } from "./geometry.js";
import { covered, dressMarks, layMarks, reveal } from "./marks.js";

/** @typedef {import("pdfjs-dist/legacy/build/pdf.mjs").PDFDocumentProxy} PDFDocumentProxy */
/** @typedef {import("pdfjs-dist/legacy/build/pdf.mjs").PDFPageProxy} PDFPageProxy */
/** @typedef {import("pdfjs-dist/legacy/build/pdf.mjs").RenderTask} RenderTask */
/** @typedef {import("./types.js").ReaderData} ReaderData */
/**
 * @typedef {{host: HTMLElement, data: ReaderData, onPage: (page: number) => void,
 *   onZoom: (percent: number) => void, only?: number, onLoad?: (sheet: Loaded) => void}} Options
 * @typedef {{number: number, element: HTMLElement, place: (rect: import("./types.js").Rect) => Partial<CSSStyleDeclaration>}} Loaded
 * @typedef {{number: number, element: HTMLElement, marks: HTMLElement, page: PDFPageProxy | null, marked: boolean,
 *   canvas: HTMLCanvasElement | null, text: HTMLElement | null, scale: number, failed: boolean}} Sheet
 */

/** Pages that stay drawn though they are out of view. */
const KEPT = 6;
const BORDERS = 2;
const USUAL = /** @type {[number, number]} */ ([612, 792]);
/** Milliseconds a size must stand before pages are drawn again in it; until then they are stretched. */
const SETTLE = 120;

export class PdfView {
  /**
   * @param {PDFDocumentProxy} pdf
   * @param {Options} options
   */
  constructor(pdf, { host, data, onPage, onZoom, only, onLoad }) {
    this.pdf = pdf;
    this.host = host;
    this.stops = data.stops;
    this.index = data.index;
    this.onPage = onPage;
    this.onZoom = onZoom;
    /** Told of a page when its crop and rotation are known, to lay something over it. */
    this.onLoad = onLoad;
    /** The number of the first page shown; with `only` the single one. */
    this.first = only ?? 1;
    this.fits = true;
    this.scale = pointPx;
    this.shown = 0;
    /** Pages in or near the view. @type {Set<number>} */
    this.near = new Set();
    /** @type {{number: number, task: RenderTask | null} | null} */
    this.drawing = null;
    this.settling = 0;
    this.sizes = Array.from({ length: only ? 1 : pdf.numPages }, (_, at) => {
      const size = data.sizes[at];
      return size?.[0] && size[1] ? size : (data.sizes.find((other) => other[0] && other[1]) ?? USUAL);
    });
    this.sheets = this.sizes.map((size, at) => sheet(this.first + at, size));
    host.replaceChildren(...this.sheets.map((each) => each.element));
    this.#setScale(this.#fitting());
    this.#watch();
    if (only) this.#pageChanged(only);
    else if (!data.page_asked && this.index !== null && this.stops[this.index]?.here)
      this.showStop(this.index);
    else if (data.page_asked || (data.page ?? 1) > 1) this.goTo(data.page ?? 1);
    else this.#pageChanged(1);
  }

  /** @param {number} page */
  goTo(page) {
    const last = this.first + this.sheets.length - 1;
    const target = this.#sheet(Math.min(Math.max(Math.trunc(page) || 1, this.first), last));
    if (!target) return;
    const top =
      target.number === 1
        ? this.host.getBoundingClientRect().top
        : target.element.getBoundingClientRect().top;
    window.scrollTo({ top: window.scrollY + top - covered() - 8 });
    this.#pageChanged(target.number);
  }

  /** @param {number} by */
  step(by) {
    this.goTo(this.shown + by);
  }

  /** @param {"in" | "out" | "fit"} how */
  zoom(how) {
    this.fits = how === "fit";
    this.#keepingPlace(() =>
      this.#setScale(how === "fit" ? this.#fitting() : nextScale(this.scale, how === "in" ? 1 : -1)),
    );
  }

  /**
   * Light one of the stops strongly and bring it into view.
   *
   * @param {number} index
   */
  async showStop(index) {
    const stop = this.stops[index];
    if (!stop) return;
    this.index = index;
    for (const each of this.sheets) if (each.marked) dressMarks(each.marks, this.stops, index);
    const first = stop.rects?.[0];
    const target = this.#sheet(first?.[0] ?? stop.page ?? 1);
    if (!target) return;
    if (first) await this.#load(target);
    if (this.index !== index) return;
    const mark = target.marks.querySelector(".current");
    if (!(mark instanceof HTMLElement)) {
      this.goTo(target.number);
      return;
    }
    reveal(mark, this.host);
  }

  #watch() {
    const seen = new IntersectionObserver((entries) => this.#moved(entries), { rootMargin: "50% 0px" });
    for (const each of this.sheets) seen.observe(each.element);
    let width = this.host.clientWidth;
    new ResizeObserver(() => {
      if (this.host.clientWidth === width) return;
      width = this.host.clientWidth;
      if (this.fits && width) this.#keepingPlace(() => this.#setScale(this.#fitting()));
    }).observe(this.host);
    let waiting = false;
    document.addEventListener(
      "scroll",
      () => {
        if (waiting) return;
        waiting = true;
        requestAnimationFrame(() => {
          waiting = false;
          this.#pageChanged(this.#inView());
        });
      },
      { passive: true },
    );
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #moved(entries) {
    for (const entry of entries) {
      const number = Number(/** @type {HTMLElement} */ (entry.target).dataset.page);
      if (entry.isIntersecting) this.near.add(number);
      else this.near.delete(number);
    }
    if (this.drawing && !this.near.has(this.drawing.number)) this.drawing.task?.cancel();
    this.#drawNext();
  }

  /** Draw the page in need that is nearest to the one in view; one at a time. */
  async #drawNext() {
    if (this.drawing || this.settling) return;
    const middle = this.#inView();
    const waiting = [...this.near]
      .map((number) => /** @type {Sheet} */ (this.#sheet(number)))
      .filter((each) => !each.failed && (!each.canvas || each.scale !== this.scale))
      .sort((a, b) => Math.abs(a.number - middle) - Math.abs(b.number - middle));
    const next = waiting[0];
    if (!next) return;
    this.drawing = { number: next.number, task: null };
    try {
      await this.#draw(next);
    } catch (error) {
      if (!(error instanceof Error && error.name === "RenderingCancelledException")) this.#fail(next);
    }
    this.drawing = null;
    this.#forget();
    this.#drawNext();
  }

  /** @param {Sheet} target */
  async #draw(target) {
    const page = await this.#load(target);
    const scale = this.scale;
    const viewport = page.getViewport({ scale });
    const ratio = pixelRatio(viewport.width, viewport.height, window.devicePixelRatio);
    const canvas = el("canvas", { "aria-hidden": "true" });
    canvas.width = Math.max(1, Math.floor(viewport.width * ratio));
    canvas.height = Math.max(1, Math.floor(viewport.height * ratio));
    const task = page.render({
      canvas,
      viewport,
      transform: ratio === 1 ? undefined : [ratio, 0, 0, ratio, 0, 0],
    });
    if (this.drawing) this.drawing.task = task;
    await task.promise;
    if (target.canvas) release(target.canvas);
    target.canvas = canvas;
    target.scale = scale;
    target.element.prepend(canvas);
    if (!target.text) await this.#layText(target, page);
  }

  /**
   * Lay the words over the picture, unseen, so that they can be selected, copied and read aloud.
   *
   * @param {Sheet} target
   * @param {PDFPageProxy} page
   */
  async #layText(target, page) {
    const container = el("div", { class: "pdf-text" });
    target.text = container;
    const words = new TextLayer({
      textContentSource: page.streamTextContent(),
      container,
      viewport: page.getViewport({ scale: this.scale }),
    });
    target.element.insertBefore(container, target.marks);
    await words.render();
  }

  /**
   * Get a page and lay its marks, which needs its crop and rotation.
   *
   * @param {Sheet} target
   */
  async #load(target) {
    target.page ??= await this.pdf.getPage(target.number);
    if (!target.marked) {
      target.marked = true;
      const viewport = target.page.getViewport({ scale: 1 });
      this.#resize(target, [viewport.width, viewport.height]);
      target.element.style.setProperty("--user-unit", String(target.page.userUnit));
      layMarks(target.marks, this.stops, target.number, (rect) => placeOn(viewport, rect));
      dressMarks(target.marks, this.stops, this.index);
      const { number, element } = target;
      this.onLoad?.({ number, element, place: (rect) => placeOn(viewport, rect) });
    }
    return target.page;
  }

  /**
   * The server read the size with another library; the drawing decides.
   *
   * @param {Sheet} target
   * @param {[number, number]} size
   */
  #resize(target, size) {
    this.sizes[target.number - this.first] = size;
    setSize(target.element, size);
  }

  /** @param {Sheet} target */
  #fail(target) {
    target.failed = true;
    target.element.append(
      el("p", { class: "pdf-note" }, "This page cannot be drawn. Its words are in the text."),
    );
  }

  /** Let go of the pages furthest away: a picture of a page takes tens of megabytes. */
  #forget() {
    const middle = this.#inView();
    const away = this.sheets
      .filter((each) => each.canvas && !this.near.has(each.number))
      .sort((a, b) => Math.abs(a.number - middle) - Math.abs(b.number - middle));
    for (const each of away.slice(KEPT)) {
      if (each.canvas) release(each.canvas);
      each.text?.remove();
      each.canvas = each.text = null;
      each.page?.cleanup();
    }
  }

  /** @param {number} scale CSS pixels for one point */
  #setScale(scale) {
    this.scale = scale;
    this.host.style.setProperty("--reader-scale", String(scale));
    this.onZoom(percentOf(scale));
    if (this.drawing) this.drawing.task?.cancel();
    clearTimeout(this.settling);
    this.settling = window.setTimeout(() => {
      this.settling = 0;
      this.#drawNext();
    }, SETTLE);
  }

  #fitting() {
    return fitScale(this.host.clientWidth - BORDERS, this.sizes);
  }

  /** @param {() => void} change of the size, after which the same words stand at the top */
  #keepingPlace(change) {
    const anchor = this.#sheet(this.#inView())?.element;
    const before = anchor?.getBoundingClientRect();
    const across = (this.host.scrollLeft + this.host.clientWidth / 2) / this.host.scrollWidth;
    change();
    if (!anchor || !before) return;
    const line = covered();
    const share = (line - before.top) / before.height;
    const after = anchor.getBoundingClientRect();
    window.scrollBy({ top: after.top + after.height * share - line });
    this.host.scrollLeft = across * this.host.scrollWidth - this.host.clientWidth / 2;
  }

  /** @returns {number} the page at the upper third of the view */
  #inView() {
    const line = covered() + (window.innerHeight - covered()) / 3;
    const at = pageAt(
      line,
      this.sheets.length,
      (index) => /** @type {Sheet} */ (this.sheets[index]).element.getBoundingClientRect().top,
    );
    return this.first + at - 1;
  }

  /**
   * @param {number} number of a page
   * @returns {Sheet | undefined}
   */
  #sheet(number) {
    return this.sheets[number - this.first];
  }

  /** @param {number} page */
  #pageChanged(page) {
    if (page === this.shown) return;
    this.shown = page;
    this.onPage(page);
  }
}

/**
 * @param {number} number
 * @param {[number, number]} size in points
 * @returns {Sheet}
 */
function sheet(number, size) {
  const marks = el("div", { class: "pdf-marks" });
  const element = el(
    "section",
    { class: "pdf-page", "data-page": number, "aria-label": `Page ${number}` },
    marks,
  );
  setSize(element, size);
  return {
    number,
    element,
    marks,
    page: null,
    marked: false,
    canvas: null,
    text: null,
    scale: 0,
    failed: false,
  };
}

/**
 * @param {HTMLElement} element
 * @param {[number, number]} size
 */
function setSize(element, [width, height]) {
  element.style.setProperty("--page-width", String(width));
  element.style.setProperty("--page-height", String(height));
}

/** @param {HTMLCanvasElement} canvas */
function release(canvas) {
  canvas.width = canvas.height = 0;
  canvas.remove();
}
