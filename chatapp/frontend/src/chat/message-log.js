/** The log of a conversation: the last messages only, earlier ones on demand, the end kept in view. */

import { el, emit } from "../lib/dom.js";
import { AnswerView } from "./answer-view.js";

const SHOWN_AT_ONCE = 50;
const NEAR_END = 90; // pixels

/** @typedef {import("../lib/types.js").Message} Message */

export class MessageLog extends HTMLElement {
  // Stands in the page's own HTML and is upgraded there, so its children can be used at once.
  constructor() {
    super();
    this.list = el("div", { class: "log-list" });
    this.earlier = el(
      "button",
      { class: "button small log-earlier", type: "button", hidden: true },
      "Show earlier messages",
    );
    this.earlier.addEventListener("click", () => this.#showEarlier());
    this.append(this.earlier, this.list);
    /** Views of the answers on the screen, by run. @type {Map<string, AnswerView>} */
    this.views = new Map();
    /** @type {Message[]} */
    this.hiddenMessages = [];
    this.atEnd = true;
    this.addEventListener("scroll", () => {
      this.atEnd = this.scrollHeight - this.scrollTop - this.clientHeight < NEAR_END;
    });
    // Whatever makes the text grow, a reader at the end stays at the end; one who scrolled up is left alone.
    new ResizeObserver(() => this.keepEnd()).observe(this.list);
  }

  keepEnd() {
    if (this.atEnd) this.scrollTop = this.scrollHeight;
  }

  clear() {
    this.views.clear();
    this.hiddenMessages = [];
    this.earlier.hidden = true;
    this.list.replaceChildren();
    this.atEnd = true;
  }

  /** @param {Message[]} messages */
  show(messages) {
    this.clear();
    const cut = Math.max(0, messages.length - SHOWN_AT_ONCE);
    this.hiddenMessages = messages.slice(0, cut);
    this.list.append(...this.#build(messages.slice(cut), messages[cut - 1]));
    this.#updateEarlier();
    this.atEnd = true;
    this.keepEnd();
  }

  /**
   * @param {Message[]} messages
   * @param {Message | undefined} previous
   */
  #build(messages, previous) {
    let question = previous?.role === "user" ? previous.text : "";
    return messages.map((message) => {
      if (message.role === "user") {
        question = message.text;
        return questionElement(message.text);
      }
      const view = new AnswerView({
        question: message.run?.question || question,
        text: message.text,
        run: message.run,
      });
      if (message.run) {
        // A running answer is told again from its first event, so its stored beginning must not show twice.
        if (message.run.status === "running") view.text = "";
        this.views.set(message.run.id, view);
      } else {
        view.handle({ type: "answer.delta", text: message.text });
        view.handle({ type: "answer.done" });
      }
      return view.element;
    });
  }

  #showEarlier() {
    const cut = Math.max(0, this.hiddenMessages.length - SHOWN_AT_ONCE);
    const batch = this.hiddenMessages.slice(cut);
    const before = this.hiddenMessages[cut - 1];
    this.hiddenMessages = this.hiddenMessages.slice(0, cut);
    const height = this.scrollHeight;
    this.list.prepend(...this.#build(batch, before));
    this.scrollTop += this.scrollHeight - height;
    this.#updateEarlier();
  }

  #updateEarlier() {
    this.earlier.hidden = this.hiddenMessages.length === 0;
    this.earlier.textContent = `Show earlier messages (${this.hiddenMessages.length})`;
  }

  /**
   * Add a question and the place of its answer.
   *
   * @param {string} text
   * @returns {AnswerView}
   */
  addQuestion(text) {
    const view = new AnswerView({ question: text });
    this.list.querySelector(".empty")?.remove();
    this.list.append(questionElement(text), view.element);
    this.atEnd = true;
    this.keepEnd();
    return view;
  }

  /**
   * @param {string} name
   * @param {string[]} examples
   */
  showEmpty(name, examples) {
    this.clear();
    const buttons = examples.map((text) =>
      el(
        "li",
        {},
        el(
          "button",
          { class: "example", type: "button", onclick: () => emit(this, "fn-example", text) },
          text,
        ),
      ),
    );
    this.list.append(
      el(
        "div",
        { class: "empty" },
        el("h2", {}, name ? `Good to see you, ${name}.` : "Good to see you."),
        el("p", {}, "Ask about your documents. Every sentence of an answer leads to the words it rests on."),
        el("ul", { class: "examples" }, ...buttons),
      ),
    );
  }

  /**
   * @param {string} words
   * @param {(() => void) | null} again
   */
  showFailure(words, again) {
    this.clear();
    const button = again
      ? el("button", { class: "button", type: "button", onclick: again }, "Try again")
      : el("a", { class: "button", href: "/" }, "Start a new chat");
    this.list.append(el("div", { class: "empty", role: "alert" }, el("p", {}, words), button));
  }
}

/** @param {string} text */
function questionElement(text) {
  return el(
    "article",
    { class: "message question", "aria-label": "Your question" },
    el("p", { dir: "auto", class: "question-text" }, text),
  );
}
