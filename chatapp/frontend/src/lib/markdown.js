/**
 * Markdown of answers: never raw HTML, never images, only http(s) and mailto links, and citation chips.
 *
 * A citation arrives in the text as U+E000, its number, U+E001 (chatapp/answering). Inside code the
 * two characters are dropped, so a chip can never appear there.
 */

import DOMPurify from "dompurify";
import { Marked } from "marked";

const OPEN = "\ue000";
const CLOSE = "\ue001";
const CHIP = /^\ue000(\d{1,4})\ue001/;
const HALF_CHIP = /\ue000\d{0,4}$/;
const SENTINELS = /\ue000(?:\d{1,4}\ue001)?|\ue001/g;
const NUMBER = /^[^\p{L}\p{N}]*s?\s*\p{N}+[^\p{L}\p{N}]*$/iu;
const DEFINITION = /^ {0,3}\[[^\]\n]+\]:/m;

const PURIFY = {
  ALLOWED_TAGS:
    "a blockquote br button code del em h1 h2 h3 h4 h5 h6 hr li ol p pre strong table tbody td th thead tr ul".split(
      " ",
    ),
  ALLOWED_ATTR: [
    "href",
    "rel",
    "target",
    "title",
    "start",
    "align",
    "class",
    "type",
    "data-cite",
    "aria-label",
  ],
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
  // The expression above is held against every attribute that is not named here, address or not.
  ADD_URI_SAFE_ATTR: ["rel", "target", "title", "start", "align", "class", "type", "data-cite", "aria-label"],
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

/** @param {string} text */
function escapeHtml(text) {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** @param {string} text */
function plain(text) {
  return text.replace(SENTINELS, "");
}

/** @param {string} href */
function safeLink(href) {
  return /^(?:https?:\/\/|mailto:)/i.test(href.trim());
}

const markdown = new Marked({ gfm: true, breaks: false });
markdown.use({
  extensions: [
    {
      name: "citation",
      level: "inline",
      start: (source) => {
        const at = source.indexOf(OPEN);
        return at < 0 ? undefined : at;
      },
      tokenizer(source) {
        const match = CHIP.exec(source);
        return match ? { type: "citation", raw: match[0], number: Number(match[1]) } : undefined;
      },
      renderer: (token) =>
        `<button type="button" class="chip" data-cite="${token.number}" aria-label="Source ${token.number}">${token.number}</button>`,
    },
  ],
  renderer: {
    html: ({ text }) => escapeHtml(plain(text)),
    image: ({ text }) => escapeHtml(plain(text)),
    checkbox: ({ checked }) => (checked ? "\u2611 " : "\u2610 "),
    code: ({ text }) => `<pre><code>${escapeHtml(plain(text))}\n</code></pre>\n`,
    codespan: ({ text }) => `<code>${escapeHtml(plain(text))}</code>`,
    link({ href, title, text, tokens }) {
      const inner = this.parser.parseInline(tokens);
      // A bare number that leads elsewhere would pass for one of our citations.
      if (!safeLink(plain(href)) || NUMBER.test(plain(text))) return inner;
      const hint = title ? ` title="${escapeHtml(plain(title))}"` : "";
      return `<a href="${escapeHtml(plain(href))}"${hint} rel="noopener noreferrer nofollow" target="_blank">${inner}</a>`;
    },
  },
});

/**
 * Render complete markdown to a clean fragment.
 *
 * @param {string} source
 * @returns {DocumentFragment}
 */
export function renderMarkdown(source) {
  return clean(markdown.parser(markdown.lexer(source)));
}

/**
 * @param {string} html
 * @returns {DocumentFragment}
 */
function clean(html) {
  const fragment = /** @type {DocumentFragment} */ (
    /** @type {unknown} */ (DOMPurify.sanitize(html, PURIFY))
  );
  // A link that lost its address in cleaning must not look like one.
  for (const link of fragment.querySelectorAll("a:not([href])")) link.replaceWith(...link.childNodes);
  return fragment;
}

/**
 * Renders an answer while it arrives. Blocks that can no longer change are inserted once and never
 * touched again; only the open end is rendered anew, at most once a frame.
 */
export class StreamingMarkdown {
  /**
   * @param {HTMLElement} target
   * @param {{schedule?: (work: () => void) => void, onRender?: (added: ParentNode) => void}} [options]
   */
  constructor(target, { schedule = (work) => requestAnimationFrame(work), onRender } = {}) {
    this.target = target;
    this.schedule = schedule;
    this.onRender = onRender;
    this.text = "";
    this.settled = 0; // everything before this index is final
    this.tail = document.createElement("div");
    this.tail.className = "answer-tail";
    this.target.replaceChildren(this.tail);
    this.scheduled = false;
    this.finished = false;
  }

  /** @param {string} delta */
  push(delta) {
    this.text += delta;
    if (this.scheduled) return;
    this.scheduled = true;
    this.schedule(() => {
      this.scheduled = false;
      if (!this.finished) this.render();
    });
  }

  /** Render what has arrived so far. */
  render() {
    const open = this.text.slice(this.settled).replace(HALF_CHIP, "");
    const tokens = markdown.lexer(open);
    const keep = firstOpenToken(tokens);
    const done = tokens.slice(0, keep);
    if (done.length) {
      const fragment = clean(markdown.parser(done));
      this.onRender?.(fragment);
      this.tail.before(fragment);
      for (const token of done) this.settled += token.raw.length;
    }
    const rest = clean(markdown.parser(tokens.slice(keep)));
    this.onRender?.(rest);
    this.tail.replaceChildren(rest);
  }

  /**
   * Render the end and stop. With `text` given, it replaces what was streamed where the two differ.
   *
   * @param {string} [text]
   */
  finish(text) {
    this.finished = true;
    const whole = text ?? this.text;
    // A definition may come after its use, in a block that was final already.
    if (whole !== this.text || DEFINITION.test(whole)) {
      this.text = whole;
      const fragment = renderMarkdown(whole);
      this.onRender?.(fragment);
      this.target.replaceChildren(fragment);
      return;
    }
    this.render();
    this.tail.replaceWith(...this.tail.childNodes);
  }
}

/**
 * Index of the first top-level block that later text may still change.
 *
 * The last block is open. A list before a short last block is open too: "1" may become "1. next item".
 *
 * @param {{type: string, raw: string}[]} tokens
 * @returns {number}
 */
function firstOpenToken(tokens) {
  let last = tokens.length - 1;
  while (last > 0 && tokens[last]?.type === "space") last -= 1;
  let before = last - 1;
  while (before > 0 && tokens[before]?.type === "space") before -= 1;
  const short = (tokens[last]?.raw.trim().length ?? 0) < 8;
  return Math.max(0, short && tokens[before]?.type === "list" ? before : last);
}

/**
 * The text with citations as [n], for copying.
 *
 * @param {string} text
 * @returns {string}
 */
export function readableText(text) {
  return text
    .replace(/\ue000(\d{1,4})\ue001/g, "[$1]")
    .replaceAll(OPEN, "")
    .replaceAll(CLOSE, "");
}
