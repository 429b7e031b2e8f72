/** Uploads at most four files at once, each with its own progress row. */

import { upload } from "../lib/api.js";
import { el, icon } from "../lib/dom.js";
import { sizeText } from "../lib/words.js";

const AT_ONCE = 4;

export class UploadQueue {
  /**
   * @param {HTMLElement} list where the rows go
   * @param {(document: import("../lib/types.js").DocumentRow, base: string) => void} onDone
   */
  constructor(list, onDone) {
    this.list = list;
    this.onDone = onDone;
    /** @type {(() => Promise<void>)[]} */
    this.waiting = [];
    this.running = 0;
  }

  /**
   * @param {Iterable<File>} files
   * @param {string} base
   */
  add(files, base) {
    for (const file of files) {
      const row = this.#row(file);
      this.#enqueue(row, file, base);
    }
    this.#next();
  }

  get isBusy() {
    return this.running > 0 || this.waiting.length > 0;
  }

  #next() {
    while (this.running < AT_ONCE && this.waiting.length) {
      const work = this.waiting.shift();
      this.running += 1;
      work?.().finally(() => {
        this.running -= 1;
        this.#next();
      });
    }
  }

  /** @param {File} file */
  #row(file) {
    const progress = el("progress", { max: 1, value: 0, "aria-label": `Upload of ${file.name}` });
    const words = el("span", { class: "upload-words", role: "status" }, "Waiting");
    const head = el(
      "span",
      { class: "upload-name", dir: "auto" },
      file.name,
      el("small", {}, sizeText(file.size)),
    );
    const element = el("li", { class: "upload" }, head, progress, words);
    this.list.append(element);
    return { element, progress, words };
  }

  /**
   * @param {{element: HTMLElement, progress: HTMLProgressElement, words: HTMLElement}} row
   * @param {File} file
   * @param {string} base
   */
  #enqueue(row, file, base) {
    this.waiting.push(async () => {
      row.words.textContent = "Uploading";
      try {
        const path = `/knowledge-bases/${base}/documents`;
        const document = await upload(path, file, (share) => {
          row.progress.value = share;
          row.words.textContent = share < 1 ? `${Math.floor(share * 100)} %` : "Checking";
        });
        if (document.unchanged) this.#unchanged(row, file, document.unchanged);
        else row.element.remove();
        this.onDone(document, base);
      } catch (error) {
        this.#failed(row, file, base, error instanceof Error ? error.message : String(error));
      }
    });
  }

  /**
   * @param {{element: HTMLElement, progress: HTMLProgressElement, words: HTMLElement}} row
   * @param {File} file
   * @param {string} base
   * @param {string} words
   */
  #failed(row, file, base, words) {
    row.element.classList.add("failed");
    row.progress.hidden = true;
    row.words.textContent = words;
    const again = el("button", { class: "button small", type: "button" }, icon("retry"), "Try again");
    const away = dismissal(row.element, file);
    again.addEventListener("click", () => {
      row.element.classList.remove("failed");
      row.progress.hidden = false;
      again.remove();
      away.remove();
      this.#enqueue(row, file, base);
      this.#next();
    });
    row.element.append(again, away);
  }

  /**
   * The newest version has these bytes already, so that there is nothing to do.
   *
   * @param {{element: HTMLElement, progress: HTMLProgressElement, words: HTMLElement}} row
   * @param {File} file
   * @param {number} version
   */
  #unchanged(row, file, version) {
    row.progress.hidden = true;
    row.words.textContent = `Unchanged: already version ${version}`;
    row.element.append(dismissal(row.element, file));
  }
}

/**
 * @param {HTMLElement} element
 * @param {File} file
 */
function dismissal(element, file) {
  return el(
    "button",
    {
      class: "icon-button",
      type: "button",
      "aria-label": `Dismiss ${file.name}`,
      onclick: () => element.remove(),
    },
    icon("cross"),
  );
}
