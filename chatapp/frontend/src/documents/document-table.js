/** The table of documents with the state of each in words. */

import { el, icon } from "../lib/dom.js";
import { countText, dateText, sizeText, waitText } from "../lib/words.js";

/** @typedef {import("../lib/types.js").DocumentRow} DocumentRow */

/** @type {Record<string, string>} */
const STATUS = {
  queued: "Waiting",
  parsing: "Reading the text",
  embedding: "Making it searchable",
  ready: "Ready",
  failed: "Failed",
  deleting: "Deleting",
};
/** Said instead of a button that could not help. */
const UNREADABLE =
  "Trying again cannot help. Upload a readable file under the same name, or delete this document.";
const UNDER_WAY = new Set(["queued", "parsing", "embedding", "deleting"]);
const CANCELLABLE = new Set(["queued", "parsing", "embedding"]);

/** @param {DocumentRow} row */
export function isUnderWay(row) {
  return UNDER_WAY.has(row.status);
}

/**
 * What is known of the wait for a document: who is before it, how long about, which attempt.
 *
 * @param {DocumentRow} row
 * @param {number} allowed attempts
 */
export function waitWords(row, allowed) {
  if (!CANCELLABLE.has(row.status)) return "";
  const waits = row.status === "queued";
  const before = waits ? (row.queue_position ?? 1) - 1 : 0;
  const attempt = (row.attempts ?? 0) + (waits ? 1 : 0);
  return [
    before > 0 && `${countText(before, "file")} before it`,
    row.eta_seconds != null && waitText(row.eta_seconds),
    attempt > 1 && `attempt ${attempt} of ${Math.max(allowed, attempt)}`,
  ]
    .filter(Boolean)
    .join(" \u00b7 ");
}

/**
 * @typedef {{canEdit: boolean, attempts: number, onDelete: (row: DocumentRow) => void,
 *   onRetry: (row: DocumentRow) => void, onCancel: (row: DocumentRow) => void}} TableOptions
 */

export class DocumentTable {
  /**
   * @param {HTMLTableSectionElement} body
   * @param {TableOptions} options
   */
  constructor(body, options) {
    this.body = body;
    this.options = options;
    /** @type {Map<string, DocumentRow>} */
    this.rows = new Map();
    /** @type {Map<string, HTMLTableRowElement>} */
    this.elements = new Map();
  }

  /** @param {DocumentRow[]} rows */
  replace(rows) {
    const keep = new Set(rows.map((row) => row.id));
    for (const id of [...this.rows.keys()]) if (!keep.has(id)) this.remove(id);
    for (const row of rows) this.put(row);
  }

  /**
   * @param {DocumentRow} row
   * @param {{first?: boolean}} [where]
   */
  put(row, { first = false } = {}) {
    const old = this.rows.get(row.id);
    if (old && JSON.stringify(old) === JSON.stringify(row)) return;
    this.rows.set(row.id, row);
    const fresh = this.#element(row);
    const there = this.elements.get(row.id);
    this.elements.set(row.id, fresh);
    if (there) {
      const focused = there.contains(document.activeElement);
      there.replaceWith(fresh);
      if (focused) /** @type {HTMLElement | null} */ (fresh.querySelector("button, a"))?.focus();
    } else if (first) {
      this.body.prepend(fresh);
    } else {
      this.body.append(fresh);
    }
  }

  /** @param {string} id */
  remove(id) {
    this.rows.delete(id);
    this.elements.get(id)?.remove();
    this.elements.delete(id);
  }

  get underWay() {
    return [...this.rows.values()].filter(isUnderWay);
  }

  /** @param {DocumentRow} row */
  #element(row) {
    // A failed new version leaves the version before it readable.
    const readable = row.status === "ready" || (row.chunks ?? 0) > 0;
    const title = readable
      ? el("a", { href: `/documents/${row.id}/`, dir: "auto" }, row.title)
      : el("span", { dir: "auto" }, row.title);
    const number = (/** @type {number | null | undefined} */ value) =>
      value ? value.toLocaleString("en") : "\u2013";
    return el(
      "tr",
      { "data-document": row.id },
      el("th", { scope: "row" }, title),
      el("td", { "data-label": "Status" }, this.#status(row)),
      el("td", { class: "number", "data-label": "Pages" }, number(row.pages)),
      el("td", { class: "number", "data-label": "Passages" }, number(row.chunks)),
      el("td", { "data-label": "Updated" }, dateText(row.updated)),
      el("td", { class: "number", "data-label": "Size" }, row.size ? sizeText(row.size) : ""),
      el("td", { class: "actions" }, this.#actions(row)),
    );
  }

  /** @param {DocumentRow} row */
  #status(row) {
    const words = STATUS[row.status] ?? row.status;
    const state = el("span", { class: `state ${row.status}` });
    if (row.status === "ready") state.append(icon("check"));
    if (row.status === "failed") state.append(icon("cross"));
    state.append(words);
    if (row.status === "parsing" || row.status === "embedding") {
      const value = Math.min(1, Math.max(0, row.stage_progress || 0));
      state.append(el("progress", { max: 1, value, "aria-label": `${words}: ${row.title}` }));
    }
    const wait = waitWords(row, this.options.attempts);
    if (wait || (row.status === "queued" && row.last_error)) {
      return el(
        "div",
        {},
        state,
        wait && el("p", { class: "state-hint" }, wait),
        row.last_error && el("p", { class: "state-hint" }, `Before: ${row.last_error}`),
      );
    }
    if (!row.error && !row.validity) return state;
    const hopeless = row.status === "failed" && !row.retry && this.options.canEdit;
    return el(
      "div",
      {},
      state,
      row.validity && el("span", { class: "validity-badge" }, row.validity),
      row.error && el("p", { class: "state-error" }, row.error),
      hopeless && el("p", { class: "state-hint" }, UNREADABLE),
    );
  }

  /** @param {DocumentRow} row */
  #actions(row) {
    if (!this.options.canEdit || row.status === "deleting") return null;
    const group = el("div", { class: "action-group" });
    group.append(
      el(
        "a",
        {
          class: "icon-button",
          href: `/documents/${row.id}/versions/`,
          "aria-label": `Versions and dates of ${row.title}`,
          title: "Versions and dates",
        },
        icon("layers"),
      ),
    );
    if (!isUnderWay(row)) {
      group.append(
        el(
          "a",
          {
            class: "icon-button",
            href: `/documents/${row.id}/reading`,
            "aria-label": `How ${row.title} was read`,
            title: "How it was read",
          },
          icon("look"),
        ),
      );
    }
    if (CANCELLABLE.has(row.status)) {
      group.append(
        el(
          "button",
          {
            class: "button small",
            type: "button",
            "aria-label": `Cancel ${row.title}`,
            onclick: () => this.options.onCancel(row),
          },
          "Cancel",
        ),
      );
    }
    if (row.status === "failed" && row.retry) {
      group.append(
        el(
          "button",
          { class: "button small", type: "button", onclick: () => this.options.onRetry(row) },
          icon("retry"),
          "Retry",
        ),
      );
    }
    group.append(
      el(
        "button",
        {
          class: "icon-button",
          type: "button",
          "aria-label": `Delete ${row.title}`,
          onclick: () => this.options.onDelete(row),
        },
        icon("bin"),
      ),
    );
    return group;
  }
}
