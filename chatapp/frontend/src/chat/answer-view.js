/** One answer in the log: its text with chips, its progress, its checks. */

import { el, emit, icon } from "../lib/dom.js";
import { readableText, renderMarkdown, StreamingMarkdown } from "../lib/markdown.js";
import {
  codePointSlice,
  countText,
  isUnsourced,
  modelText,
  needsNoSource,
  placeText,
  reasonText,
  verdictOf,
  wordsHref,
} from "../lib/words.js";
import { jsonText, objectElement, objectOf, valuesText } from "./object-view.js";
import { Statements } from "./statements.js";

/** @typedef {import("../lib/types.js").Run} Run */
/** @typedef {import("../lib/socket.js").Frame} Frame */

/** @typedef {{sentence: number | null, number: number | null}} Lit a statement and a source, as far as they are known */

const UNFOUNDED = new Set(["unsupported", "weak", "uncited"]);

/**
 * The statements that stand in the answer, and how many were left out of it.
 *
 * @param {Run} run
 */
function statementsOf(run) {
  const statements = run.sentences.filter((sentence) => sentence.verdict !== "exempt");
  const shown = statements.filter((sentence) => !sentence.left_out);
  return { shown, leftOut: statements.length - shown.length };
}

/**
 * Links to the passages that came nearest to an answer; the first of those that read the same.
 *
 * @param {import("../lib/types.js").Related[]} related
 * @returns {(Node | string)[]}
 */
function nearestParts(related) {
  /** @type {Map<string, Element>} */
  const links = new Map();
  for (const place of related) {
    const words = [place.title, placeText(place)].filter(Boolean).join(", ");
    if (!links.has(words)) links.set(words, el("a", { href: wordsHref(place), dir: "auto" }, words));
  }
  const parts = [...links.values()].flatMap((link, at) => (at ? [", ", link] : [link]));
  return ["Nearest, though it hardly answers this: ", ...parts];
}

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
    this.lit = "";
    /** Whether the text is an object, which is drawn once it is whole. */
    this.structured = run?.structured ?? false;
    this.mode = el("p", { class: "answer-mode", hidden: true });
    this.progress = el("p", { class: "answer-progress" });
    this.label = el("p", { class: "answer-label", hidden: true });
    this.body = el("div", { class: "answer-body", dir: "auto" });
    this.statements = new Statements(this.body);
    this.nearest = el("p", { class: "answer-nearest", hidden: true });
    this.notice = el("div", { class: "answer-notice", hidden: true });
    this.bar = el("div", { class: "answer-bar", hidden: true });
    this.element = el(
      "article",
      { class: "message answer", "aria-label": "Answer" },
      this.mode,
      this.label,
      this.progress,
      this.body,
      this.nearest,
      this.notice,
      this.bar,
    );
    this.body.addEventListener("click", (event) => this.#clicked(event));
    for (const kind of ["pointermove", "focusin"]) {
      this.body.addEventListener(kind, (event) => this.#pointedAt(event));
    }
    for (const kind of ["pointerleave", "focusout"])
      this.body.addEventListener(kind, () => this.#light(null));
    this.body.addEventListener("fn-badge", (event) =>
      this.#explain(/** @type {CustomEvent} */ (event).detail, /** @type {HTMLElement} */ (event.target)),
    );
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
      this.structured = frame.structured ?? false;
      this.#nameMode({ answer_mode: frame.answer_mode, label: frame.label });
      if (frame.answer_mode === "fine_tuned") this.setProgress("Writing the answer\u2026");
    } else if (frame.type === "retrieval.done") {
      this.#found(frame);
    } else if (frame.type === "answer.delta") {
      this.#delta(frame.text ?? "");
    } else if (frame.type === "answer.done") {
      this.#settle("done");
    } else if (frame.type === "run.error") {
      this.fail(frame);
    }
  }

  /** @param {Frame} frame */
  #found({ query, passages }) {
    const count = passages?.length ?? 0;
    if (count) {
      const read = countText(count, "passage");
      this.setProgress(this.structured ? `Writing the answer from ${read}\u2026` : `Reading ${read}\u2026`);
    } else if (query) {
      this.setProgress("Nothing close was found.");
    } else if (this.mode.hidden) {
      this.setProgress(""); // small talk is searched for nowhere
    }
  }

  /**
   * Say what the answer rests on, where that is not documents alone.
   *
   * @param {{answer_mode?: string, label?: string}} told
   */
  #nameMode({ answer_mode: mode, label }) {
    this.mode.textContent = label ?? "";
    this.mode.hidden = !label;
    this.mode.classList.toggle("unsourced", mode === "fine_tuned");
  }

  /** @param {string} text */
  #delta(text) {
    if (this.structured) {
      this.text += text;
      return;
    }
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
    if (this.structured && !this.body.hasChildNodes()) this.#drawWhole();
    this.#drawBar();
  }

  /** Draw a text that is there already. */
  #drawWhole() {
    const found = this.structured ? objectOf(this.text) : null;
    this.structured = found !== null;
    this.body.replaceChildren(found ? objectElement(found) : renderMarkdown(this.text));
    this.#nameChips(this.body);
  }

  /** The text that sentences count in, as it reads. */
  get words() {
    return this.structured ? valuesText(this.text) : this.text;
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
    this.#drawWhole();
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
    this.#nameMode(run);
    this.#nameChips(this.body);
    this.label.hidden = !run.no_answer;
    const none = isUnsourced(run) ? "The model has no answer" : "Not found in your documents";
    this.label.textContent = run.no_answer ? none : "";
    this.element.classList.toggle("no-answer", run.no_answer);
    this.nearest.replaceChildren(...nearestParts(run.related ?? []));
    this.nearest.hidden = !run.related?.length;
    if (run.status === "running") return;
    if (run.status === "failed" && this.notice.hidden) this.fail(run.error ?? {});
    else if (run.status === "stopped" && this.notice.hidden) this.fail({ code: "stopped" });
    else if (this.isRunning) this.#settle("done");
    else this.#drawBar();
    // Until the end the text may still be rendered anew.
    this.statements.show(this.words, run.no_answer || isUnsourced(run) ? [] : run.sentences);
  }

  /**
   * What a screen reader is told when the answer is there.
   *
   * @returns {string}
   */
  summary() {
    const run = this.run;
    if (!run) return "Answer ready.";
    if (isUnsourced(run)) return "Answer ready, from the model\u2019s training: nothing of it was checked.";
    if (run.no_answer) return "Answer ready: not found in your documents.";
    if (needsNoSource(run)) return "Answer ready.";
    const sources = new Set(run.citations.map((citation) => citation.number)).size;
    const { shown, leftOut } = statementsOf(run);
    const bad = shown.filter((sentence) => UNFOUNDED.has(sentence.verdict)).length;
    const tail = bad ? `, ${countText(bad, "statement")} not found in sources` : "";
    return `Answer ready: ${countText(sources, "source")}${tail}${leftOut ? `, ${leftOut} left out` : ""}.`;
  }

  /**
   * Light the statements that rest on some words of a source; none for null.
   *
   * @param {number[] | null} sentences
   */
  lightStatements(sentences) {
    this.statements.light((sentence) => sentences?.includes(sentence.index) ?? false);
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
    if (chip) this.#cite(Number(chip.getAttribute("data-cite")), chip, this.#sentenceAt(event));
  }

  /** @param {Event} event */
  #pointedAt(event) {
    const sentence = this.#sentenceAt(event);
    const chip = event.target instanceof Element ? event.target.closest(".chip") : null;
    if (sentence === null && !chip) this.#light(null);
    else this.#light({ sentence, number: chip ? Number(chip.getAttribute("data-cite")) : null });
  }

  /** @param {Event} event */
  #sentenceAt(event) {
    const { clientX, clientY } =
      event instanceof MouseEvent ? event : { clientX: undefined, clientY: undefined };
    return this.statements.at({ target: event.target, clientX, clientY })?.sentence.index ?? null;
  }

  /**
   * Light one statement here and its words among the sources, or what has only a number.
   *
   * @param {Lit | null} lit
   */
  #light(lit) {
    const key = lit ? `${lit.sentence} ${lit.number}` : "";
    if (key === this.lit) return;
    this.lit = key;
    this.lightStatements(lit && lit.sentence !== null ? [lit.sentence] : null);
    emit(this.element, "fn-light", { view: this, lit });
  }

  /**
   * @param {number} number
   * @param {Element} origin
   * @param {number | null} sentence
   */
  #cite(number, origin, sentence) {
    emit(this.element, "fn-cite", { view: this, number, sentence, origin });
  }

  /**
   * Show why a statement has its badge: at its source, or in the list of what was not found.
   *
   * @param {import("../lib/types.js").RunSentence} sentence
   * @param {HTMLElement} badge
   */
  #explain(sentence, badge) {
    const cited = this.run?.citations.find((citation) => citation.sentence === sentence.index);
    if (cited) {
      this.#cite(cited.number, badge, sentence.index);
      return;
    }
    const list = this.bar.querySelector("details.bar-checks");
    if (!(list instanceof HTMLDetailsElement)) return;
    list.open = true;
    list.querySelector("summary")?.focus();
  }

  #drawBar() {
    const run = this.run;
    const parts = [];
    if (run) {
      const sources = new Set(run.citations.map((citation) => citation.number)).size;
      const words = sources
        ? countText(sources, "source")
        : countText(run.passages.length, "passage read", "passages read");
      const open = () => emit(this.element, "fn-sources", { view: this });
      if (!needsNoSource(run) && !isUnsourced(run)) {
        parts.push(el("button", { class: "bar-button", type: "button", onclick: open }, icon("book"), words));
      }
      const checks = this.#checks(run);
      if (checks) parts.push(checks);
      if (run.model) parts.push(el("span", { class: "bar-model" }, modelText(run)));
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
   * "7 of 8 statements found in sources, 1 left out", opening to the ones that were not.
   *
   * @param {Run} run
   * @returns {HTMLElement | null}
   */
  #checks(run) {
    const { shown, leftOut } = statementsOf(run);
    if (!(shown.length || leftOut) || run.no_answer || isUnsourced(run)) return null;
    const found = shown.filter((sentence) => sentence.verdict === "supported").length;
    const unchecked = shown.filter((sentence) => sentence.verdict === "unchecked").length;
    const words = [
      shown.length && `${found} of ${countText(shown.length, "statement")} found in sources`,
      unchecked && `${unchecked} not checked`,
      leftOut && (shown.length ? `${leftOut} left out` : `${countText(leftOut, "statement")} left out`),
    ]
      .filter(Boolean)
      .join(", ");
    const open = shown.filter((sentence) => sentence.verdict !== "supported");
    if (!open.length)
      return el("span", { class: "bar-checks" }, icon(shown.length ? "check" : "partial"), words);
    const rows = open.map((sentence) => {
      const text = readableText(codePointSlice(this.words, sentence.start, sentence.end)).trim();
      return el(
        "li",
        { class: `verdict ${sentence.verdict}` },
        icon(verdictOf(sentence.verdict).icon),
        el("span", {}, el("q", { dir: "auto" }, text), ` ${reasonText(sentence)}`),
      );
    });
    return el("details", { class: "bar-checks" }, el("summary", {}, words), el("ul", {}, ...rows));
  }

  /** @param {HTMLElement} button */
  #copy(button) {
    const sources = new Map();
    if (this.structured) return this.#copyText(button, jsonText(this.text));
    for (const citation of this.run?.citations ?? []) {
      const place = placeText({ ...citation, heading_path: [] });
      sources.set(citation.number, `[${citation.number}] ${citation.title}${place ? `, ${place}` : ""}`);
    }
    const text = [
      readableText(this.text),
      ...[...sources.keys()].sort((a, b) => a - b).map((key) => sources.get(key)),
    ];
    return this.#copyText(button, text.join("\n"));
  }

  /**
   * @param {HTMLElement} button
   * @param {string} text
   */
  async #copyText(button, text) {
    try {
      await navigator.clipboard.writeText(text);
      button.lastChild?.replaceWith("Copied");
    } catch {
      button.lastChild?.replaceWith("Copying is not allowed here");
    }
    setTimeout(() => button.lastChild?.replaceWith("Copy"), 2_000);
  }
}
