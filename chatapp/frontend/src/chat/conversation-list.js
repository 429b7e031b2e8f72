/** The list of conversations: open, rename, delete. */

import { api } from "../lib/api.js";
import { confirmDialog, el, emit, icon } from "../lib/dom.js";
import { dateText } from "../lib/words.js";

/** @typedef {import("../lib/types.js").Conversation} Conversation */

/** What is said of chats that did not begin on this page. @type {Record<string, string>} */
const ORIGINS = { api: "API", command: "command" };

export class ConversationList extends HTMLElement {
  // Stands in the page's own HTML and is upgraded there, so its children can be used at once.
  constructor() {
    super();
    this.list = el("ul", { class: "conversations" });
    this.more = el("button", { class: "button small", type: "button", hidden: true }, "Show more");
    this.more.addEventListener("click", () => this.load());
    this.problem = el("p", { class: "list-problem", role: "alert", hidden: true });
    const fresh = el("a", { class: "button new-chat", href: "/" }, icon("plus"), "New chat");
    fresh.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      emit(this, "fn-open", null);
    });
    this.others = el("button", { class: "link-button others", type: "button", hidden: true });
    this.others.addEventListener("click", () => this.#toggleOthers());
    this.append(fresh, this.list, this.more, this.others, this.problem);
    /** @type {Conversation[]} */
    this.items = [];
    this.cursor = "";
    /** Whether chats are listed that programs began. */
    this.all = false;
    /** Counts the lists that were begun: a page that was asked for by an earlier one is dropped. */
    this.turn = 0;
    /** @type {string | null} */
    this.current = null;
  }

  async load() {
    await this.#attempt(async () => {
      const turn = this.turn;
      const query = new URLSearchParams(this.all ? {} : { origin: "browser" });
      if (this.cursor) query.set("cursor", this.cursor);
      const page = await api(`/conversations?${query}`);
      if (turn !== this.turn) return;
      if (!this.all) this.others.hidden = !page.others;
      const known = new Set(this.items.map((item) => item.id));
      this.items.push(...page.items.filter((/** @type {Conversation} */ item) => !known.has(item.id)));
      this.cursor = page.next_cursor ?? "";
      this.#draw();
    });
  }

  #toggleOthers() {
    this.all = !this.all;
    this.turn += 1;
    this.items = [];
    this.cursor = "";
    this.load();
  }

  /** @param {Conversation} conversation put it first, new or not */
  touch(conversation) {
    this.items = [conversation, ...this.items.filter((item) => item.id !== conversation.id)];
    this.#draw();
  }

  /** @param {string | null} id */
  mark(id) {
    this.current = id;
    this.#draw();
  }

  #draw() {
    this.list.replaceChildren(...this.items.map((item) => this.#row(item)));
    this.more.hidden = !this.cursor;
    this.others.textContent = this.all ? "Hide API chats" : "Show API chats";
  }

  /** @param {Conversation} item */
  #row(item) {
    const title = item.title || "New chat";
    const link = el(
      "a",
      { href: `/c/${item.id}/`, title: `${title}, ${dateText(item.updated)}`, dir: "auto" },
      title,
    );
    if (item.id === this.current) link.setAttribute("aria-current", "page");
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      emit(this, "fn-open", item.id);
    });
    const origin = ORIGINS[item.origin ?? "browser"];
    if (origin) link.prepend(el("small", { class: "origin" }, origin), " ");
    const row = el("li", { class: "conversation" }, link);
    row.append(
      el(
        "button",
        {
          class: "icon-button",
          type: "button",
          "aria-label": `Rename ${title}`,
          onclick: () => this.#rename(row, item),
        },
        icon("pencil"),
      ),
      el(
        "button",
        {
          class: "icon-button",
          type: "button",
          "aria-label": `Delete ${title}`,
          onclick: () => this.#delete(item),
        },
        icon("bin"),
      ),
    );
    return row;
  }

  /**
   * @param {HTMLElement} row
   * @param {Conversation} item
   */
  #rename(row, item) {
    const input = el("input", { type: "text", value: item.title, maxlength: 200, "aria-label": "New title" });
    const form = el("form", { class: "rename" }, input);
    let finished = false;
    const finish = async (/** @type {boolean} */ save) => {
      if (finished) return;
      finished = true;
      const title = input.value.trim();
      if (save && title && title !== item.title) {
        await this.#attempt(async () => {
          await api(`/conversations/${item.id}`, { method: "PATCH", body: { title } });
          item.title = title;
          emit(this, "fn-renamed", item);
        });
      }
      this.#draw();
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      finish(true);
    });
    input.addEventListener("blur", () => finish(true));
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      finish(false);
    });
    row.replaceChildren(form);
    input.select();
  }

  /** @param {Conversation} item */
  async #delete(item) {
    const yes = await confirmDialog({
      title: "Delete this chat?",
      text: `\u201c${item.title || "New chat"}\u201d and its answers are deleted for good.`,
      action: "Delete",
    });
    if (!yes) return;
    await this.#attempt(async () => {
      await api(`/conversations/${item.id}`, { method: "DELETE" });
      this.items = this.items.filter((other) => other.id !== item.id);
      this.#draw();
      emit(this, "fn-deleted", item.id);
    });
  }

  /** @param {() => Promise<void>} work */
  async #attempt(work) {
    this.problem.hidden = true;
    try {
      await work();
    } catch (error) {
      this.problem.textContent = error instanceof Error ? error.message : String(error);
      this.problem.hidden = false;
    }
  }
}
