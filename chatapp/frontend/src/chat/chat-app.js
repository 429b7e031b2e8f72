/** The chat page: joins the list, the log, the composer, the sources and the socket. */

import { ApiError, api } from "../lib/api.js";
import { el, pageData } from "../lib/dom.js";
import { ChatSocket, socketUrl } from "../lib/socket.js";
import { newId } from "../lib/words.js";
import { moveByKey } from "./moving.js";

/** @typedef {import("../lib/types.js").Message} Message */
/** @typedef {import("../lib/types.js").Conversation} Conversation */
/** @typedef {import("../lib/socket.js").Frame} Frame */
/** @typedef {import("./answer-view.js").AnswerView} AnswerView */
/** @typedef {{text: string, conversation: string | null, view: AnswerView}} Asked */

const TRACE_EVERY = 1_500; // milliseconds between two looks at the trace of a running answer
const UNSENT = "unsent-question";

export class ChatApp extends HTMLElement {
  // Stands in the page's own HTML and is upgraded there, so its children can be used at once.
  constructor() {
    super();
    const find = (/** @type {string} */ name) => /** @type {any} */ (this.querySelector(name));
    /** @type {import("./conversation-list.js").ConversationList} */
    this.list = find("fn-conversations");
    /** @type {import("./message-log.js").MessageLog} */
    this.log = find("fn-log");
    /** @type {import("./composer.js").Composer} */
    this.composer = find("fn-composer");
    /** @type {import("./sources-panel.js").SourcesPanel} */
    this.sources = find("fn-sources");
    /** @type {import("./base-picker.js").BasePicker} */
    this.picker = find("fn-bases");
    /** @type {import("./assistant-picker.js").AssistantPicker} */
    this.assistant = find("fn-assistants");
    this.heading = /** @type {HTMLElement} */ (find("[data-title]"));
    this.status = /** @type {HTMLElement} */ (find("[data-status]"));
    this.connection = /** @type {HTMLElement} */ (find("[data-connection]"));
    this.drawer = /** @type {HTMLButtonElement} */ (find("[data-drawer]"));
    this.page = pageData("chat-page") ?? { examples: [], name: "" };
    /** @type {string | null} */
    this.conversation = this.getAttribute("conversation") || null;
    /** Questions without `run.started`, by client id. @type {Map<string, Asked>} */
    this.asked = new Map();
    /** When the trace of a run was last fetched. @type {Map<string, number>} */
    this.traced = new Map();
    this.opening = 0;
    this.wasOpen = false;
    this.socket = new ChatSocket(socketUrl("/ws/chat/"), {
      onEvent: (frame) => this.#event(frame),
      onRefused: (frame) => this.#refused(frame),
      onState: (state) => this.#connectionState(state),
    });
    this.#listen();
    this.socket.connect();
    this.list.load();
    this.picker.load();
    this.assistant.load();
    this.open(this.conversation);
  }

  #listen() {
    const on = (/** @type {string} */ name, /** @type {(detail: any) => void} */ work) =>
      this.addEventListener(name, (event) => work(/** @type {CustomEvent} */ (event).detail));
    on("fn-ask", (text) => this.ask(text));
    on("fn-retry", (text) => this.ask(text));
    on("fn-example", (text) => this.ask(text));
    on("fn-assistant", (chosen) => this.#chose(chosen?.searches ?? true));
    on("fn-stop", () => this.#stop());
    on("fn-open", (id) => this.#go(id));
    on("fn-deleted", (id) => id === this.conversation && this.#go(null));
    on("fn-renamed", (item) => item.id === this.conversation && this.#setTitle(item.title));
    on("fn-cite", ({ view, number, sentence, origin }) => {
      this.sources.show(view, { open: true });
      this.sources.focusCard({ number, sentence }, origin);
    });
    on("fn-sources", ({ view }) => this.sources.show(view, { open: true }));
    on("fn-light", ({ view, lit }) => view === this.sources.view && this.sources.light(lit));
    on("fn-card", (sentences) => this.sources.view?.lightStatements(sentences));
    this.drawer.addEventListener("click", () => this.#toggleDrawer());
    window.addEventListener("popstate", () => this.open(conversationOf(location.pathname)));
    window.addEventListener("online", () => this.socket.wake());
    document.addEventListener("visibilitychange", () => document.hidden || this.socket.wake());
    document.addEventListener("keydown", (event) => {
      if (moveByKey(this.log, event)) event.preventDefault();
      if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open]")) return;
      if (this.sources.classList.contains("is-open")) this.sources.close();
      else if (this.composer.running) this.#stop();
      else this.#toggleDrawer(false);
    });
  }

  /** @param {boolean} searches whether the chosen assistant asks documents at all */
  #chose(searches) {
    this.picker.toggleAttribute("data-unused", !searches);
    this.composer.input.placeholder = searches ? "Ask your documents" : "Ask the model";
  }

  /** @param {boolean} [open] */
  #toggleDrawer(open = !this.classList.contains("drawer-open")) {
    this.classList.toggle("drawer-open", open);
    this.drawer.setAttribute("aria-expanded", String(open));
  }

  /** @param {string | null} id */
  #go(id) {
    history.pushState(null, "", id ? `/c/${id}/` : "/");
    this.open(id);
    this.#toggleDrawer(false);
  }

  /**
   * Show a conversation, or an empty one.
   *
   * @param {string | null} id
   */
  async open(id) {
    this.opening += 1;
    const turn = this.opening;
    for (const run of this.log.views.keys()) this.socket.leave(run);
    this.conversation = id;
    this.list.mark(id);
    this.sources.clear();
    this.composer.setRunning(false);
    this.composer.switchTo(id);
    this.#setTitle("");
    if (!id) {
      this.log.showEmpty(this.page.name, this.page.examples);
      this.#restoreUnsent([]);
      this.composer.focusInput();
      return;
    }
    this.log.clear();
    try {
      const conversation = await api(`/conversations/${id}`);
      if (turn !== this.opening) return;
      this.#setTitle(conversation.title);
      this.log.show(conversation.messages);
      this.#restoreUnsent(conversation.messages);
      this.#followRunning();
    } catch (error) {
      if (turn !== this.opening) return;
      const gone = error instanceof ApiError && error.status === 404;
      const words = gone
        ? "This chat does not exist, or it is not yours."
        : String(/** @type {Error} */ (error).message);
      this.log.showFailure(words, gone ? null : () => this.open(id));
    }
  }

  #followRunning() {
    let last = null;
    for (const [run, view] of this.log.views) {
      if (view.isRunning) {
        this.#setBusy(true);
        this.socket.follow(run, 0);
      }
      last = view;
    }
    if (last) this.sources.show(last);
  }

  /** @param {string} text */
  ask(text) {
    if (this.composer.running) return;
    const id = newId();
    const view = this.log.addQuestion(text);
    this.asked.set(id, { text, conversation: this.conversation, view });
    sessionStorage.setItem(UNSENT, JSON.stringify({ text, conversation: this.conversation }));
    this.#setBusy(true);
    if (!this.socket.isOpen) view.setProgress("Waiting for the connection\u2026");
    this.socket.ask({
      text,
      client_id: id,
      assistant: this.assistant.value,
      conversation: this.conversation ?? undefined,
      knowledge_bases: this.picker.value,
    });
  }

  /**
   * A question that left the box but never reached the server goes back into the box after a reload.
   *
   * @param {Message[]} messages
   */
  #restoreUnsent(messages) {
    const stored = JSON.parse(sessionStorage.getItem(UNSENT) ?? "null");
    if (!stored || stored.conversation !== this.conversation || this.asked.size) return;
    sessionStorage.removeItem(UNSENT);
    const arrived = messages
      .slice(-2)
      .some((message) => message.role === "user" && message.text === stored.text);
    if (!arrived) this.composer.giveBack(stored.text);
  }

  #stop() {
    for (const [run, view] of this.log.views) {
      if (view.isRunning) {
        view.setProgress("Stopping\u2026");
        this.socket.stop(run);
      }
    }
    for (const [id, asked] of this.asked) {
      // Not taken yet: there is nothing to stop at the server.
      if (!this.socket.isOpen) this.#giveUp(id, asked, { code: "stopped" });
    }
  }

  /** @param {Frame} frame */
  #event(frame) {
    const run = frame.run ?? "";
    if (frame.type === "run.started") this.#started(frame, run);
    const view = this.log.views.get(run);
    if (!view) return;
    view.handle(frame);
    if (frame.type === "answer.citation") this.#trace(run, view);
    if (frame.type === "answer.done" || frame.type === "run.error") this.#ended(run, view, frame);
  }

  /**
   * @param {Frame} frame
   * @param {string} run
   */
  #started(frame, run) {
    const asked = this.asked.get(frame.client_id);
    if (!asked) return;
    this.asked.delete(frame.client_id);
    sessionStorage.removeItem(UNSENT);
    const title = asked.text.slice(0, 80);
    if (asked.conversation === null || asked.conversation === this.conversation) {
      this.list.touch({
        ...(this.list.items.find((item) => item.id === frame.conversation) ?? { title }),
        id: frame.conversation,
        updated: new Date().toISOString(),
      });
    }
    if (asked.conversation !== this.conversation || !asked.view.element.isConnected) {
      this.socket.leave(run);
      return;
    }
    this.log.views.set(run, asked.view);
    if (!this.conversation) {
      this.conversation = frame.conversation;
      this.composer.conversation = this.conversation;
      history.replaceState(null, "", `/c/${frame.conversation}/`);
      this.list.mark(this.conversation);
      this.#setTitle(title);
    }
  }

  /**
   * @param {string} run
   * @param {AnswerView} view
   * @param {Frame} frame
   */
  async #ended(run, view, frame) {
    this.#setBusy(false);
    if (frame.type === "run.error") this.#say(frame.message ?? "The answer could not be finished.");
    await this.#trace(run, view, true);
    if (frame.type === "answer.done") this.#say(view.summary());
  }

  /**
   * Fetch the trace of a run and show its sources.
   *
   * @param {string} run
   * @param {AnswerView} view
   * @param {boolean} [always] also when it was fetched just now
   */
  async #trace(run, view, always = false) {
    const now = Date.now();
    if (!always && now - (this.traced.get(run) ?? 0) < TRACE_EVERY) return;
    this.traced.set(run, now);
    try {
      const trace = await api(`/runs/${run}`);
      // An early look that comes in late must not undo the last one.
      if (trace.status === "running" && !view.isRunning) return;
      view.setRun(trace);
      if (view.element.isConnected) this.sources.show(view);
    } catch (error) {
      if (always) this.#say(`The sources could not be loaded. ${/** @type {Error} */ (error).message}`, true);
    }
  }

  /** @param {Frame} frame */
  #refused(frame) {
    const [id, asked] = this.asked.entries().next().value ?? [];
    if (id && asked && (!frame.client_id || frame.client_id === id)) this.#giveUp(id, asked, frame);
    else this.#say(frame.message ?? "The server did not accept this.", true);
  }

  /**
   * @param {string} id
   * @param {Asked} asked
   * @param {import("../lib/types.js").RunError} error
   */
  #giveUp(id, asked, error) {
    this.socket.forget(id);
    this.asked.delete(id);
    sessionStorage.removeItem(UNSENT);
    asked.view.fail(error);
    this.#setBusy(false);
    if (asked.conversation === this.conversation) this.composer.giveBack(asked.text);
    this.#say(error.message ?? "Stopped.");
  }

  /** @param {boolean} busy */
  #setBusy(busy) {
    this.composer.setRunning(busy);
    this.log.setAttribute("aria-busy", String(busy));
    if (busy) this.#say("Answering");
  }

  /**
   * @param {string} words for screen readers
   * @param {boolean} [visible] also on the screen
   */
  #say(words, visible = false) {
    this.status.textContent = words;
    if (visible) this.composer.setNote(words);
  }

  /** @param {import("../lib/socket.js").State} state */
  #connectionState(state) {
    const first = !this.wasOpen && this.socket.failures === 0;
    if (state === "open") this.wasOpen = true;
    this.connection.hidden = state === "open" || (state === "connecting" && first);
    if (state === "signed-out") {
      const link = el(
        "a",
        { href: `/accounts/login/?next=${encodeURIComponent(location.pathname)}` },
        "Sign in again",
      );
      this.connection.replaceChildren("You are signed out. ", link, " to go on; your text is kept.");
    } else {
      this.connection.textContent = this.connection.hidden ? "" : "Connection lost. Trying again\u2026";
    }
  }

  /** @param {string} title */
  #setTitle(title) {
    this.heading.textContent = title || "New chat";
    document.title = title ? `${title} \u00b7 Footnote` : "Chat \u00b7 Footnote";
  }
}

/** @param {string} path */
function conversationOf(path) {
  return /^\/c\/([0-9a-f-]{36})\/$/.exec(path)?.[1] ?? null;
}
