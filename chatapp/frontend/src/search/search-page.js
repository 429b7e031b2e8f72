/**
 * The search page: short addresses, and settings that search again as they are changed.
 * Without this script the form works as any form does.
 */

const WAIT = 250;

export class SearchPage extends HTMLElement {
  connectedCallback() {
    const form = /** @type {HTMLFormElement | null} */ (this.querySelector("[data-form]"));
    if (!form) return;
    this.form = form;
    /** @type {AbortController | null} */
    this.running = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    form.addEventListener("formdata", (event) => shorten(form, event.formData));
    form.addEventListener("input", (event) => this.#changed(event));
    form.addEventListener("keydown", (event) => this.#key(event));
  }

  disconnectedCallback() {
    clearTimeout(this.timer);
    this.running?.abort();
  }

  /** @param {Event} event */
  #changed(event) {
    const input = event.target;
    if (!isField(input) || input.dataset.saved === undefined) return;
    input.closest(".setting")?.classList.toggle("is-changed", isChanged(input));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), WAIT);
  }

  /**
   * Enter asks, as in the chat; with Shift it begins a new line.
   *
   * @param {KeyboardEvent} event
   */
  #key(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    if (!(event.target instanceof HTMLTextAreaElement) || event.target.name !== "q") return;
    event.preventDefault();
    this.form?.requestSubmit();
  }

  /** Search with the settings as they stand, and put what comes in the place of the results. */
  async refresh() {
    const form = this.form;
    const asked = /** @type {HTMLTextAreaElement | null} */ (form?.querySelector("[name=q]"));
    if (!form || (asked && !asked.value.trim()) || !form.checkValidity()) return;
    this.running?.abort();
    const running = new AbortController();
    this.running = running;
    const address = addressOf(form);
    this.#say("Searching\u2026");
    try {
      const reply = await fetch(address, { signal: running.signal, credentials: "same-origin" });
      if (!reply.ok) throw new Error(String(reply.status));
      const page = new DOMParser().parseFromString(await reply.text(), "text/html");
      const results = page.querySelector("[data-results]");
      if (!results) throw new Error("no results");
      this.querySelector("[data-results]")?.replaceWith(document.importNode(results, true));
      history.replaceState(null, "", address);
      this.#say("");
    } catch (error) {
      if (running.signal.aborted) return;
      console.warn("the search page could not be refreshed", error);
      this.#say("The search could not be made. Press Compare to try again.");
    }
  }

  /** @param {string} words */
  #say(words) {
    const status = this.querySelector("[data-status]");
    if (status) status.textContent = words;
  }
}

/**
 * @param {unknown} input
 * @returns {input is HTMLInputElement | HTMLSelectElement}
 */
const isField = (input) => input instanceof HTMLInputElement || input instanceof HTMLSelectElement;

/** @param {HTMLInputElement | HTMLSelectElement} input */
export function isChanged(input) {
  const saved = input.dataset.saved ?? "";
  if (input.value === "" || saved === "") return input.value !== saved;
  return Number(input.value) !== Number(saved);
}

/**
 * Leave out of an address what says nothing: empty fields, and settings that are as they are saved.
 *
 * @param {HTMLFormElement} form
 * @param {FormData} data
 */
export function shorten(form, data) {
  for (const name of new Set(data.keys())) {
    const input = form.elements.namedItem(name);
    const setting = isField(input) && input.dataset.saved !== undefined;
    if (setting ? !isChanged(input) : data.getAll(name).every((value) => value === "")) data.delete(name);
  }
}

/**
 * @param {HTMLFormElement} form
 * @returns {string}
 */
export function addressOf(form) {
  const data = new FormData(form);
  shorten(form, data);
  const values = [...data].map(([name, value]) => [name, String(value)]);
  return `${form.getAttribute("action")}?${new URLSearchParams(values)}`;
}
