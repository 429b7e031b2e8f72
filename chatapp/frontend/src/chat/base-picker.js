/** Which knowledge bases to ask. Nothing chosen means the assistant's own. */

import { apiList } from "../lib/api.js";
import { el } from "../lib/dom.js";
import { countText } from "../lib/words.js";

const STORED = "chosen-bases";

/** @typedef {import("../lib/types.js").KnowledgeBase} KnowledgeBase */

export class BasePicker extends HTMLElement {
  // Stands in the page's own HTML and is upgraded there, so its children can be used at once.
  constructor() {
    super();
    /** @type {Set<string>} */
    this.chosen = new Set(JSON.parse(localStorage.getItem(STORED) ?? "[]"));
    /** @type {KnowledgeBase[]} */
    this.bases = [];
    this.summary = el("summary", {}, "Knowledge bases");
    this.options = el("fieldset", { class: "picker-options" }, el("legend", {}, "Ask these knowledge bases"));
    this.details = el("details", { class: "picker" }, this.summary, this.options);
    this.append(this.details);
    document.addEventListener("click", (event) => {
      if (this.details.open && event.target instanceof Node && !this.contains(event.target))
        this.details.open = false;
    });
    this.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.details.open) return;
      event.stopPropagation();
      this.details.open = false;
      this.summary.focus();
    });
  }

  async load() {
    try {
      this.bases = await apiList("/knowledge-bases");
    } catch {
      // Asking still works with the assistant's own knowledge bases.
      this.hidden = true;
      return;
    }
    const known = new Set(this.bases.map((base) => base.id));
    this.chosen = new Set([...this.chosen].filter((id) => known.has(id)));
    this.options.append(...this.bases.map((base) => this.#option(base)));
    this.#changed();
  }

  /** @returns {string[] | undefined} */
  get value() {
    return this.chosen.size ? [...this.chosen] : undefined;
  }

  /** @param {KnowledgeBase} base */
  #option(base) {
    const box = el("input", { type: "checkbox", checked: this.chosen.has(base.id) });
    box.addEventListener("change", () => {
      if (box.checked) this.chosen.add(base.id);
      else this.chosen.delete(base.id);
      this.#changed();
    });
    const count = base.documents === undefined ? "" : countText(base.documents, "document");
    return el("label", { class: "picker-option" }, box, el("span", {}, base.name, el("small", {}, count)));
  }

  #changed() {
    const chosen = this.bases.filter((base) => this.chosen.has(base.id));
    localStorage.setItem(STORED, JSON.stringify(chosen.map((base) => base.id)));
    if (chosen.length === 0) this.summary.textContent = "Default sources";
    else if (chosen.length === 1) this.summary.textContent = chosen[0]?.name ?? "";
    else this.summary.textContent = countText(chosen.length, "knowledge base");
  }
}
