/** The page of indexes: a build is followed while it runs, and what takes long says so. */

import { api } from "./lib/api.js";

const POLL = 2_000;

/** @typedef {{id: string, phase: string, held: number, documents: number, chunks: number, seconds_left: number | null}} Generation */

/** @param {number} seconds */
export function leftText(seconds) {
  if (seconds < 60) return "less than a minute left";
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 90) return `about ${minutes} minute${minutes === 1 ? "" : "s"} left`;
  return `about ${Math.round(minutes / 60)} hours left`;
}

export class IndexesPage extends HTMLElement {
  constructor() {
    super();
    this.#wait();
  }

  /** Ask again only while something is being done. */
  #wait() {
    if (this.querySelector("[data-busy]")) setTimeout(() => this.#poll(), POLL);
  }

  async #poll() {
    try {
      const { items } = await api(`/knowledge-bases/${this.dataset.base}/generations`);
      if (this.#changed(items)) await this.#renew();
      else for (const item of items) this.#show(item);
    } catch (error) {
      console.warn("the indexes could not be asked for", error);
    }
    this.#wait();
  }

  /** @param {Generation[]} items */
  #changed(items) {
    const shown = [...this.querySelectorAll("[data-index]")];
    const phases = new Map(items.map((item) => [item.id, item.phase]));
    return (
      shown.length !== items.length ||
      shown.some(
        (row) => phases.get(row.getAttribute("data-index") ?? "") !== row.getAttribute("data-phase"),
      ) ||
      items.every((item) => !this.#isOpen(item))
    );
  }

  /** @param {any} item */
  #isOpen(item) {
    return item.job?.state === "queued" || item.job?.state === "running";
  }

  /** @param {Generation} item */
  #show(item) {
    const row = this.querySelector(`[data-index="${CSS.escape(item.id)}"]`);
    const find = (/** @type {string} */ name) => row?.querySelector(name);
    const bar = find("progress");
    if (bar instanceof HTMLProgressElement) {
      bar.max = item.documents || 1;
      bar.value = item.held;
    }
    const held = find("[data-held]");
    if (held) held.textContent = `${item.held} of ${item.documents}`;
    const passages = find("[data-passages]");
    if (passages) passages.textContent = String(item.chunks);
    const left = find("[data-left]");
    if (left) left.textContent = item.seconds_left === null ? "" : leftText(item.seconds_left);
  }

  /** Take the state of the indexes from a fresh page; what was typed and found beside it stays. */
  async #renew() {
    const address = `${location.origin}/documents/indexes/?base=${this.dataset.base}`;
    const reply = await fetch(address, { credentials: "same-origin" });
    if (!reply.ok) throw new Error(String(reply.status));
    const page = new DOMParser().parseFromString(await reply.text(), "text/html");
    const state = page.querySelector("[data-state]");
    if (state) this.querySelector("[data-state]")?.replaceWith(document.importNode(state, true));
  }
}

customElements.define("fn-indexes", IndexesPage);

document.addEventListener("submit", ({ target }) => {
  if (!(target instanceof HTMLFormElement) || !target.dataset.slow) return;
  const button = target.querySelector("button");
  if (!button) return;
  button.textContent = target.dataset.slow;
  button.disabled = true;
});

// A comparison stands above what was asked for: it is where reading goes on.
document.getElementById("result")?.focus();
