/** The question box. Typed text survives a reload, an error and a change of conversation. */

import { emit } from "../lib/dom.js";

/** @param {string | null} conversation */
const draftKey = (conversation) => `draft:${conversation ?? "new"}`;

export class Composer extends HTMLElement {
  // Stands in the page's own HTML and is upgraded there, so its children can be used at once.
  constructor() {
    super();
    this.form = /** @type {HTMLFormElement} */ (this.querySelector("form"));
    this.input = /** @type {HTMLTextAreaElement} */ (this.querySelector("textarea"));
    this.send = /** @type {HTMLButtonElement} */ (this.querySelector("[data-send]"));
    this.stop = /** @type {HTMLButtonElement} */ (this.querySelector("[data-stop]"));
    this.note = /** @type {HTMLElement} */ (this.querySelector("[data-note]"));
    this.most = Number(this.getAttribute("max-bytes")) || 8192;
    /** @type {string | null} */
    this.conversation = null;
    this.running = false;
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.stop.addEventListener("click", () => emit(this, "fn-stop"));
    this.input.addEventListener("input", () => this.#typed());
    this.input.addEventListener("keydown", (event) => {
      // An input method uses Enter to accept its suggestion.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#submit();
    });
    this.#update();
  }

  /** @param {string | null} conversation */
  switchTo(conversation) {
    this.conversation = conversation;
    this.setText(sessionStorage.getItem(draftKey(conversation)) ?? "");
  }

  /** @param {string} text */
  setText(text) {
    this.input.value = text;
    this.#typed();
  }

  /** @param {string} text put back a question that was not taken, without losing what was typed since */
  giveBack(text) {
    const typed = this.input.value.trim();
    this.setText(typed && typed !== text ? `${text}\n${typed}` : text);
  }

  /** @param {boolean} running */
  setRunning(running) {
    this.running = running;
    this.#update();
  }

  /** @param {string} words */
  setNote(words) {
    this.note.textContent = words;
    this.note.classList.toggle("warning", words !== "");
  }

  focusInput() {
    this.input.focus();
  }

  #submit() {
    const text = this.input.value.trim();
    if (!text || this.running || this.#tooLong(text)) return;
    this.setText("");
    emit(this, "fn-ask", text);
  }

  /** @param {string} text */
  #tooLong(text) {
    return new TextEncoder().encode(text).length > this.most;
  }

  #typed() {
    const text = this.input.value;
    if (text.trim()) sessionStorage.setItem(draftKey(this.conversation), text);
    else sessionStorage.removeItem(draftKey(this.conversation));
    this.setNote(
      this.#tooLong(text) ? "This question is too long. Shorten it, or upload the text as a document." : "",
    );
    this.#update();
  }

  #update() {
    const text = this.input.value.trim();
    this.send.disabled = !text || this.#tooLong(text);
    const swap =
      this.send.hidden !== this.running && document.activeElement === (this.running ? this.send : this.stop);
    this.send.hidden = this.running;
    this.stop.hidden = !this.running;
    if (swap) this.input.focus();
  }
}
