/** The documents page: choose a knowledge base, upload, watch, retry, delete. */

import { ApiError, api, apiList } from "../lib/api.js";
import { confirmDialog, el, pageData } from "../lib/dom.js";
import { socketUrl } from "../lib/socket.js";
import { countText } from "../lib/words.js";
import { deletionChoices } from "./deletion-choices.js";
import { DocumentTable } from "./document-table.js";
import { Notices } from "./notices.js";
import { UploadQueue } from "./upload-queue.js";

/** @typedef {import("../lib/types.js").DocumentRow} DocumentRow */
/** @typedef {import("../lib/types.js").KnowledgeBase} KnowledgeBase */

const LAST_BASE = "documents-base";
const POLL = 3_000;
const POLL_BESIDE_NOTICES = 15_000;

export class DocumentsPage extends HTMLElement {
  // Stands in the page's own HTML and is upgraded there, so its children can be used at once.
  constructor() {
    super();
    const find = (/** @type {string} */ name) => /** @type {any} */ (this.querySelector(name));
    /** @type {File[]} */
    this.waiting = [];
    const rights = pageData("documents-page");
    this.canEdit = rights?.can_edit === true;
    this.canErase = rights?.can_erase === true;
    this.select = /** @type {HTMLSelectElement} */ (find("[data-bases]"));
    this.message = /** @type {HTMLElement} */ (find("[data-message]"));
    this.empty = /** @type {HTMLElement} */ (find("[data-empty]"));
    this.count = /** @type {HTMLElement} */ (find("[data-count]"));
    this.more = /** @type {HTMLButtonElement} */ (find("[data-more]"));
    this.wrap = /** @type {HTMLElement} */ (find("[data-table]"));
    this.table = new DocumentTable(find("tbody"), {
      canEdit: this.canEdit,
      onDelete: (row) => this.#delete(row),
      onRetry: (row) => this.#act(row, "retry"),
      onCancel: (row) => this.#act(row, "cancel"),
      attempts: rights?.attempts ?? 1,
    });
    /** @type {KnowledgeBase[]} */
    this.bases = [];
    this.cursor = "";
    this.polled = 0;
    this.select.addEventListener("change", () => this.#choose(this.select.value));
    this.more.addEventListener("click", () => this.#attempt(() => this.#loadPage()));
    if (this.canEdit) this.#prepareUploads();
    this.notices = new Notices(socketUrl("/ws/notices/"), {
      onNotice: (notice) => this.#noticed(notice),
      onOpen: () => this.#refresh(),
    });
    setInterval(() => this.#poll(), POLL);
    this.#attempt(() => this.#loadBases());
  }

  get base() {
    return this.select.value;
  }

  #prepareUploads() {
    const list = /** @type {HTMLElement} */ (this.querySelector("[data-uploads]"));
    const zone = /** @type {HTMLElement} */ (this.querySelector("[data-drop]"));
    const input = /** @type {HTMLInputElement} */ (this.querySelector("input[type=file]"));
    this.queue = new UploadQueue(list, (document, base) => this.#uploaded(document, base));
    const add = (/** @type {FileList | null | undefined} */ files) => {
      this.waiting.push(...(files ?? []));
      this.#uploadWaiting();
    };
    const take = () => {
      add(input.files);
      input.value = "";
    };
    input.addEventListener("change", take);
    take(); // files chosen before this script was there
    // Anywhere on the page, so that a file dropped beside the zone does not replace the page.
    document.addEventListener("dragover", (event) => {
      event.preventDefault();
      zone.classList.add("over");
    });
    document.addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) zone.classList.remove("over");
    });
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      zone.classList.remove("over");
      add(event.dataTransfer?.files);
    });
    window.addEventListener("beforeunload", (event) => {
      if (this.queue?.isBusy) event.preventDefault();
    });
    this.#prepareCreation();
  }

  /** Files that were chosen before the knowledge bases were known wait for them. */
  #uploadWaiting() {
    if (this.base && this.waiting.length) this.queue?.add(this.waiting.splice(0), this.base);
  }

  #prepareCreation() {
    const dialog = /** @type {HTMLDialogElement} */ (this.querySelector("[data-create-dialog]"));
    const form = /** @type {HTMLFormElement} */ (dialog.querySelector("form"));
    const name = /** @type {HTMLInputElement} */ (form.querySelector("input"));
    const problem = /** @type {HTMLElement} */ (form.querySelector("[data-problem]"));
    this.querySelector("[data-create]")?.addEventListener("click", () => {
      form.reset();
      problem.textContent = "";
      dialog.showModal();
    });
    form.querySelector("[data-cancel]")?.addEventListener("click", () => dialog.close());
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        const base = await api("/knowledge-bases", { method: "POST", body: { name: name.value.trim() } });
        dialog.close();
        await this.#attempt(() => this.#loadBases(base.id));
      } catch (error) {
        problem.textContent = /** @type {Error} */ (error).message;
      }
    });
  }

  /** @param {string} [chosen] */
  async #loadBases(chosen) {
    this.bases = await apiList("/knowledge-bases");
    const wanted =
      chosen ?? new URLSearchParams(location.search).get("base") ?? localStorage.getItem(LAST_BASE) ?? "";
    this.select.replaceChildren(...this.bases.map((base) => el("option", { value: base.id }, base.name)));
    const found = this.bases.find((base) => base.id === wanted || base.slug === wanted);
    await this.#choose((found ?? this.bases[0])?.id ?? "");
  }

  /** @param {string} id */
  async #choose(id) {
    this.select.value = id;
    this.table.replace([]);
    this.cursor = "";
    if (!id) {
      this.#say("There is no knowledge base yet.");
      this.#summarise();
      return;
    }
    localStorage.setItem(LAST_BASE, id);
    history.replaceState(null, "", `?base=${id}`);
    const sources = this.querySelector("[data-sources]");
    if (sources instanceof HTMLAnchorElement) sources.search = `?base=${id}`;
    this.querySelector("[data-indexes]")?.setAttribute("href", `/documents/indexes/?base=${id}`);
    this.#uploadWaiting();
    await this.#attempt(() => this.#loadPage());
  }

  async #loadPage() {
    const base = this.base;
    const cursor = this.cursor ? `?cursor=${encodeURIComponent(this.cursor)}` : "";
    const page = await api(`/knowledge-bases/${base}/documents${cursor}`);
    if (base !== this.base) return;
    for (const row of page.items) this.table.put(row);
    this.cursor = page.next_cursor ?? "";
    this.#summarise();
  }

  #summarise() {
    const shown = this.table.rows.size;
    this.empty.hidden = shown > 0;
    this.wrap.hidden = shown === 0;
    this.more.hidden = !this.cursor;
    if (this.count)
      this.count.textContent = shown ? `${countText(shown, "document")}${this.cursor ? " shown" : ""}` : "";
  }

  /**
   * @param {DocumentRow} document
   * @param {string} base
   */
  #uploaded(document, base) {
    if (base !== this.base) return;
    this.table.put(document, { first: true });
    this.#summarise();
  }

  /** @param {Partial<DocumentRow> & {document: string}} notice */
  #noticed(notice) {
    const row = this.table.rows.get(notice.document);
    if (!row) return;
    const { status, stage_progress: progress, error, retry, chunks } = notice;
    this.table.put({
      ...row,
      status: status ?? row.status,
      stage_progress: progress ?? row.stage_progress,
      error: error ?? null,
      retry: retry ?? row.retry,
      chunks: chunks ?? row.chunks,
      // Of the stage before; the next answer of the API knows better.
      ...(status === row.status ? {} : { queue_position: null, eta_seconds: null, last_error: null }),
    });
    // Pages, size and version are not part of the notice.
    if (status === "ready" || status === "failed") this.#reload(notice.document);
  }

  #poll() {
    const pause = this.notices.isOpen ? POLL_BESIDE_NOTICES : POLL;
    if (document.hidden || Date.now() - this.polled < pause) return;
    this.#refresh();
  }

  #refresh() {
    this.polled = Date.now();
    for (const row of this.table.underWay.slice(0, 20)) this.#reload(row.id);
  }

  /** @param {string} id */
  async #reload(id) {
    try {
      const row = await api(`/documents/${id}`);
      if (this.table.rows.has(id)) this.table.put(row);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) {
        this.table.remove(id);
        this.#summarise();
      }
    }
  }

  /**
   * @param {DocumentRow} row
   * @param {"retry" | "cancel"} action
   */
  async #act(row, action) {
    await this.#attempt(async () =>
      this.table.put(await api(`/documents/${row.id}/${action}`, { method: "POST" })),
    );
  }

  /** @param {DocumentRow} row */
  async #delete(row) {
    const choices = deletionChoices({ canErase: this.canErase });
    const yes = await confirmDialog({
      title: "Delete this document?",
      text: `\u201c${row.title}\u201d, its passages and all its versions are deleted for good. Answers will not use it any more.`,
      action: "Delete",
      choice: choices.element,
    });
    if (!yes) return;
    await this.#attempt(async () => {
      await api(`/documents/${row.id}${choices.query()}`, { method: "DELETE" });
      this.table.put({ ...row, status: "deleting", error: null });
      this.#reload(row.id);
    });
  }

  /** @param {() => Promise<void>} work */
  async #attempt(work) {
    this.#say("");
    try {
      await work();
    } catch (error) {
      this.#say(/** @type {Error} */ (error).message);
    }
  }

  /** @param {string} words */
  #say(words) {
    this.message.textContent = words;
    this.message.hidden = !words;
  }
}
