/** Which assistant to ask, where there are several. The one chosen last is chosen again. */

import { apiList } from "../lib/api.js";
import { el, emit } from "../lib/dom.js";

const STORED = "chosen-assistant";
const FIRST = "default";

/** What is told of a way to answer beside the name. @type {Record<string, string>} */
const MODES = { fine_tuned: "from training", hybrid: "fine-tuned, your documents" };

/** @typedef {{slug: string, name: string, answer_mode: string, searches: boolean}} Assistant */

export class AssistantPicker extends HTMLElement {
  // Stands in the page's own HTML and is upgraded there, so its children can be used at once.
  constructor() {
    super();
    /** @type {Assistant[]} */
    this.assistants = [];
    this.select = el("select", { class: "picker-select", "aria-label": "Assistant" });
    this.select.addEventListener("change", () => {
      localStorage.setItem(STORED, this.select.value);
      emit(this, "fn-assistant", this.chosen);
    });
    this.hidden = true;
    this.append(this.select);
  }

  async load() {
    try {
      this.assistants = await apiList("/assistants");
    } catch {
      return; // asking still works with the default one
    }
    const known = (/** @type {string | null} */ slug) => this.assistants.some((one) => one.slug === slug);
    const wanted = [localStorage.getItem(STORED), FIRST].find((slug) => known(slug ?? null));
    this.select.replaceChildren(
      ...this.assistants.map((one) => {
        const mode = MODES[one.answer_mode];
        const words = mode ? `${one.name} (${mode})` : one.name;
        return el("option", { value: one.slug, selected: one.slug === wanted }, words);
      }),
    );
    this.hidden = this.assistants.length < 2;
    emit(this, "fn-assistant", this.chosen);
  }

  /** @returns {Assistant | null} */
  get chosen() {
    return this.assistants.find((one) => one.slug === this.select.value) ?? null;
  }

  /** @returns {string | undefined} none: the default one */
  get value() {
    return this.chosen?.slug;
  }
}
