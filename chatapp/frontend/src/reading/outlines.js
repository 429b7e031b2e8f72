/** Outlines of blocks over a page. An outline and its block light each other, by pointer and by keyboard. */

import { el } from "../lib/dom.js";

/** @typedef {import("../reader/types.js").Rect} Rect */
/** @typedef {{block: number, kind: string, sign: string, label: string, rects: Rect[]}} Outline */

export class Outlines {
  /** @param {Outline[]} outlines */
  constructor(outlines) {
    this.outlines = outlines;
    /** The parts of each outline. @type {Map<number, HTMLElement[]>} */
    this.parts = new Map();
  }

  /**
   * @param {HTMLElement} page that the outlines are laid over
   * @param {(rect: Rect) => Partial<CSSStyleDeclaration>} place
   */
  layOver(page, place) {
    page.querySelector(".block-outlines")?.remove();
    const layer = el("div", { class: "block-outlines" });
    for (const outline of this.outlines) {
      const parts = outline.rects.map((rect, at) => {
        const part = at === 0 ? first(outline) : el("div", { class: `block-outline kind-${outline.kind}` });
        Object.assign(part.style, place(rect));
        return part;
      });
      this.parts.set(outline.block, parts);
      layer.append(...parts);
      this.#join(outline.block, parts);
    }
    page.append(layer);
  }

  /**
   * @param {number} block
   * @param {HTMLElement[]} parts
   */
  #join(block, parts) {
    const item = document.getElementById(`block-${block}`);
    if (!item) return;
    item.tabIndex = 0;
    for (const one of [item, ...parts]) {
      one.addEventListener("pointerenter", () => this.#light(block, true));
      one.addEventListener("pointerleave", () => this.#light(block, false));
      one.addEventListener("focus", () => {
        this.#light(block, true);
        if (one !== item) item.scrollIntoView({ block: "nearest" });
      });
      one.addEventListener("blur", () => this.#light(block, false));
    }
    for (const part of parts) {
      part.addEventListener("click", () => {
        item.scrollIntoView({ block: "center" });
        item.focus({ preventScroll: true });
      });
    }
    item.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.target !== item) return;
      event.preventDefault();
      parts[0]?.focus();
    });
  }

  /**
   * @param {number} block
   * @param {boolean} lit
   */
  #light(block, lit) {
    const item = document.getElementById(`block-${block}`);
    for (const one of [item, ...(this.parts.get(block) ?? [])]) one?.classList.toggle("lit", lit);
  }
}

/**
 * The part that stands for a block: it carries its sign and takes the focus.
 *
 * @param {Outline} outline
 * @returns {HTMLElement}
 */
function first({ block, kind, sign, label }) {
  return el(
    "button",
    { class: `block-outline kind-${kind}`, type: "button", "data-outline": block, "aria-label": label },
    el("span", { class: "sign", "aria-hidden": "true" }, sign),
  );
}
