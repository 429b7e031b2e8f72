/** One answer in the log: its text with chips, its progress, its checks. */

import { el, emit, icon } from "../lib/dom.js";
import { readableText, renderMarkdown, StreamingMarkdown } from "../lib/markdown.js";
import { codePointSlice, countText, modelText, placeText, VERDICTS } from "../lib/words.js";

/** @typedef {import("../lib/types.js").Run} Run */
/** @typedef {import("../lib/socket.js").Frame} Frame */

const UNFOUNDED = new Set(["unsupported", "weak", "uncited"]);

export class AnswerView {
  /** @param {{question: string, text?: string, run?: Run | null}} start */
  constructor({ question, text = "", run = null }) {
    this.question = question;
    /** @type {string | null} */
    this.runId = run?.id ?? null;
    /** @type {Run | null} */
    this.run = null;
    this.text = text;
    /** @type {StreamingMarkdown | null} */
    this.stream = null;
    this.progress = el("p", { class: "answer-progress" });
    this.label = el("p", { class: "answer-label", hidden: true });
    this.body = el("div", { class: "answer-body", dir: "auto" });
    this.notice = el("div", { class: "answer-notice", hidden: true });
    this.bar = el("div", { class: "answer-bar", hidden: true });
    this.element = el(
      "article",
      { class: "message answer", "aria-label": "Answer" },
      this.label,
      this.progress,
      this.body,
      this.notice,
      this.bar,
    );
    this.body.addEventListener("click", (event) => this.#clicked(event));
    for (const kind of ["pointerover", "focusin"]) {
      this.body.addEventListener(kind, (event) => this.#hovered(event));
    }
    this.body.addEventListener("pointerleave", () => this.light(null));
    if (run && run.status !== "running") this.#restore(run);
    else this.setProgress("Searching your documents\u2026");
  }

  get isRunning() {
    return !this.element.hasAttribute("data-state");
  }

  /** @param {string} words */
  setProgress(words) {
    this.progress.textContent = words;
    this.progress.hidden = !words;
  }

  /** @param {Frame} frame */
  handle(frame) {
    if (frame.type === "run.started") {
      this.runId = frame.run ?? null;
    } else if (frame.type === "retrieval.done") {
      const count = frame.passages?.length ?? 0;
      this.setProgress(count ? `Reading ${countText(count, "passage")}\u2026` : "Nothing close was found.");
    } else if (frame.type === "answer.delta") {
      this.#delta(frame.text ?? "");
    } else if (frame.type === "answer.done") {
      this.#settle("done");
    } else if (frame.type === "run.error") {
      this.fail(frame);
    }
  }

  /** @param {string} text */
  #delta(text) {
    if (!this.stream) {
      this.setProgress("");
      this.stream = new StreamingMarkdown(this.body, {
        onRender: (added) => this.#nameChips(added),
      });
    }
    this.text += text;
    this.stream.push(text);
  }

  /** @param {"done" | "stopped" | "failed"} state */
  #settle(state) {
    this.element.dataset.state = state;
    this.setProgress("");
    this.stream?.finish();
    this.stream = null;
    this.#drawBar();
  }

  /**
   * Show what went wrong, and keep what had arrived.
   *
   * @param {import("../lib/types.js").RunError} error
   */
  fail(error) {
    const stopped = error.code === "stopped";
    this.#settle(stopped ? "stopped" : "failed");
    const words = stopped
      ? "You stopped this answer."
      : (error.message ?? "The answer could not be finished.");
    const again = el(
      "button",
      { class: "button small", type: "button", onclick: () => emit(this.element, "fn-retry", this.question) },
      icon("retry"),
      stopped ? "Ask again" : "Try again",
    );
    this.notice.replaceChildren(el("p", {}, words), again);
    this.notice.classList.toggle("error", !stopped);
    this.notice.hidden = false;
  }

  /** @param {Run} run */
  #restore(run) {
    const fragment = renderMarkdown(this.text);
    this.body.replaceChildren(fragment);
    this.setRun(run);
  }

  /**
   * Take in the trace of the run, while it runs or after.
   *
   * @param {Run} run
   */
  setRun(run) {
    this.run = run;
    this.runId = run.id;
    this.#nameChips(this.body);
    this.label.hidden = !run.no_answer;
    this.label.textContent = run.no_answer ? "Not found in your documents" : "";
    this.element.classList.toggle("no-answer", run.no_answer);
    if (run.status === "running") return;
    if (run.status === "failed" && this.notice.hidden) this.fail(run.error ?? {});
    else if (run.status === "stopped" && this.notice.hidden) this.fail({ code: "stopped" });
    else if (this.isRunning) this.#settle("done");
    else this.#drawBar();
  }

  /**
   * What a screen reader is told when the answer is there.
   *
   * @returns {string}
   */
  summary() {
    const run = this.run;
    if (!run) return "Answer ready.";
    if (run.no_answer) return "Answer ready: not found in your documents.";
    const sources = new Set(run.citations.map((citation) => citation.number)).size;
    const bad = run.sentences.filter((sentence) => UNFOUNDED.has(sentence.verdict)).length;
    const tail = bad ? `, ${countText(bad, "statement")} not found in sources` : "";
    return `Answer ready: ${countText(sources, "source")}${tail}.`;
  }

  /** @param {number | null} number light the chips of this source, or none */
  light(number) {
    for (const chip of this.body.querySelectorAll(".chip")) {
      chip.classList.toggle("lit", chip.getAttribute("data-cite") === String(number));
    }
    emit(this.element, "fn-light", number);
  }

  /** @param {ParentNode} root */
  #nameChips(root) {
    for (const chip of root.querySelectorAll(".chip")) {
      const number = Number(chip.getAttribute("data-cite"));
      const citation = this.run?.citations.find((item) => item.number === number);
      if (!citation) continue;
      const place = citation.page ? ` ${placeText({ ...citation, heading_path: [] })}` : "";
      chip.setAttribute("aria-label", `Source ${number}, ${citation.title}${place}`);
      chip.setAttribute("title", `${citation.title}${place}`);
    }
  }

  /** @param {Event} event */
  #clicked(event) {
    const chip = event.target instanceof Element ? event.target.closest(".chip") : null;
    if (chip)
      emit(this.element, "fn-cite", { view: this, number: Number(chip.getAttribute("data-cite")), chip });
  }

  /** @param {Event} event */
  #hovered(event) {
    const chip = event.target instanceof Element ? event.target.closest(".chip") : null;
    this.light(chip ? Number(chip.getAttribute("data-cite")) : null);
  }

  #drawBar() {
    const run = this.run;
    const parts = [];
    if (run) {
      const sources = new Set(run.citations.map((citation) => citation.number)).size;
      const words = sources
        ? countText(sources, "source")
        : countText(run.passages.length, "passage read", "passages read");
      parts.push(
        el(
          "button",
          {
            class: "bar-button",
            type: "button",
            onclick: () => emit(this.element, "fn-sources", { view: this }),
          },
          icon("book"),
          words,
        ),
      );
      const checks = this.#checks(run);
      if (checks) parts.push(checks);
      if (run.model) parts.push(el("span", { class: "bar-model" }, modelText(run.model)));
    }
    if (this.text.trim()) {
      const copy = el("button", { class: "bar-button", type: "button" }, icon("copy"), "Copy");
      copy.addEventListener("click", () => this.#copy(copy));
      parts.push(copy);
    }
    if (run) {
      const href = `/runs/${encodeURIComponent(run.id)}/`;
      parts.push(el("a", { class: "bar-button", href }, icon("look"), "How this answer came about"));
    }
    this.bar.replaceChildren(...parts);
    this.bar.hidden = parts.length === 0;
  }

  /**
   * "7 of 8 statements found in sources", opening to the ones that were not.
   *
   * @param {Run} run
   * @returns {HTMLElement | null}
   */
  #checks(run) {
    const statements = run.sentences.filter((sentence) => sentence.verdict !== "exempt");
    if (!statements.length || run.no_answer) return null;
    const found = statements.filter((sentence) => sentence.verdict === "supported").length;
    const unchecked = statements.filter((sentence) => sentence.verdict === "unchecked").length;
    let words = `${found} of ${countText(statements.length, "statement")} found in sources`;
    if (unchecked) words += `, ${unchecked} not checked`;
    const open = statements.filter((sentence) => sentence.verdict !== "supported");
    if (!open.length) return el("span", { class: "bar-checks" }, icon("check"), words);
    const rows = open.map((sentence) => {
      const verdict = VERDICTS[sentence.verdict] ?? {
        icon: /** @type {const} */ ("question"),
        text: sentence.verdict,
      };
      const text = readableText(codePointSlice(this.text, sentence.start, sentence.end)).trim();
      const reasons = sentence.reasons.length ? `: ${sentence.reasons.join("; ")}` : "";
      return el(
        "li",
        { class: `verdict ${sentence.verdict}` },
        icon(verdict.icon),
        el("span", {}, el("q", { dir: "auto" }, text), ` ${verdict.text}${reasons}`),
      );
    });
    return el("details", { class: "bar-checks" }, el("summary", {}, words), el("ul", {}, ...rows));
  }

  /** @param {HTMLElement} button */
  async #copy(button) {
    const sources = new Map();
    for (const citation of this.run?.citations ?? []) {
      const place = placeText({ ...citation, heading_path: [] });
      sources.set(citation.number, `[${citation.number}] ${citation.title}${place ? `, ${place}` : ""}`);
    }
    const text = [
      readableText(this.text),
      ...[...sources.keys()].sort((a, b) => a - b).map((key) => sources.get(key)),
    ];
    try {
      await navigator.clipboard.writeText(text.join("\n"));
      button.lastChild?.replaceWith("Copied");
    } catch {
      button.lastChild?.replaceWith("Copying is not allowed here");
    }
    setTimeout(() => button.lastChild?.replaceWith("Copy"), 2_000);
  }
}
