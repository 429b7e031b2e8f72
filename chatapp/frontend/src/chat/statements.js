/**
 * The statements of an answer on the page: where each stands, its badge, and its light.
 *
 * The trace counts in the answer's Markdown, the page shows what became of it. Both are compared by their letters and
 * digits alone. Statements follow each other; one that does not begin where the last one ended, or comes after one that
 * was not found, is taken only where its words stand as whole words and once. Any other gets no badge and no light.
 */

import { el, emit, icon } from "../lib/dom.js";
import { renderMarkdown } from "../lib/markdown.js";
import { codePointSlice, reasonText, VERDICTS, verdictOf } from "../lib/words.js";

/** @typedef {import("../lib/types.js").RunSentence} RunSentence */
/** @typedef {{sentence: RunSentence, range: Range | null, chips: Element[]}} Placed */

const LETTER = /[\p{L}\p{N}]/u;
const CLOSING = /^[.!?\u2026:;,)\]"'\u201d\u2019\u00bb]+/;
const OPENING = /(?<!\S)[(["'\u201c\u201e\u2018\u00ab]+$/;
const CHIP = "\ue000";
const MADE = ".badge, .chip-verdict";

/** Verdicts that are told beside the statement; the others are on its chips or need no word. */
const TOLD = new Set(["weak", "unsupported", "uncited", "unchecked"]);

/**
 * Find the statements in the rendered answer.
 *
 * @param {HTMLElement} body
 * @param {string} text the answer in canonical Markdown, citations as sentinels
 * @param {RunSentence[]} sentences
 * @returns {Placed[]}
 */
export function placeStatements(body, text, sentences) {
  const letters = lettersOf(body);
  const chips = [...body.querySelectorAll(".chip")];
  const marks = chipOffsets(text);
  let from = 0;
  let lost = false;
  let told = 0; // the end of the last statement
  return sentences.map((sentence) => {
    // Statements that were left out side by side share one notice: the first of them has it.
    if (sentence.start < told) return { sentence, range: null, chips: [] };
    told = sentence.end;
    const own = marks.flatMap((at, index) => (at >= sentence.start && at < sentence.end ? [index] : []));
    // Where code or a cut marker leaves the two uneven, no chip can be told from its place.
    const found =
      marks.length === chips.length ? own.map((index) => /** @type {Element} */ (chips[index])) : [];
    const wanted = lettersOf(renderMarkdown(codePointSlice(text, sentence.start, sentence.end))).text;
    if (!wanted) return { sentence, range: null, chips: found };
    const next = !lost && letters.text.startsWith(wanted, from);
    const at = next ? from : letters.only(wanted, from);
    lost = at < 0;
    if (lost) return { sentence, range: null, chips: found };
    from = at + wanted.length;
    return { sentence, range: letters.range(at, from), chips: found };
  });
}

/**
 * @param {string} text
 * @returns {number[]} in code points
 */
function chipOffsets(text) {
  return Array.from(text).flatMap((character, at) => (character === CHIP ? [at] : []));
}

/**
 * The letters and digits under a node, without chips, badges and names of fields, and the way back to their places.
 *
 * @param {Node} root
 */
function lettersOf(root) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT, (node) =>
    node.parentElement?.closest(".chip, .badge, .object-name")
      ? NodeFilter.FILTER_REJECT
      : NodeFilter.FILTER_ACCEPT,
  );
  /** @type {{node: Text, offset: number, length: number}[]} one for each UTF-16 unit of `text` */
  const places = [];
  let text = "";
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const own = /** @type {Text} */ (node);
    let offset = 0;
    for (const character of own.data) {
      if (LETTER.test(character)) {
        text += character;
        for (let unit = 0; unit < character.length; unit += 1) {
          places.push({ node: own, offset, length: character.length });
        }
      }
      offset += character.length;
    }
  }
  /** @param {number} at whether a word may begin or end here */
  const parted = (at) => {
    const [before, after] = [places[at - 1], places[at]];
    return !before || !after || before.node !== after.node || before.offset + before.length !== after.offset;
  };
  return {
    text,
    /**
     * Where letters stand as whole words from a place on, if that is one place; else -1.
     *
     * @param {string} wanted
     * @param {number} from
     */
    only(wanted, from) {
      let found = -1;
      for (let at = text.indexOf(wanted, from); at >= 0; at = text.indexOf(wanted, at + 1)) {
        if (!parted(at) || !parted(at + wanted.length)) continue;
        if (found >= 0) return -1;
        found = at;
      }
      return found;
    },
    /**
     * @param {number} start
     * @param {number} end
     */
    range(start, end) {
      const first = /** @type {(typeof places)[0]} */ (places[start]);
      const last = /** @type {(typeof places)[0]} */ (places[end - 1]);
      const range = document.createRange();
      const before = first.node.data.slice(0, first.offset);
      range.setStart(first.node, first.offset - (OPENING.exec(before)?.[0].length ?? 0));
      const after = last.offset + last.length;
      range.setEnd(last.node, after + (CLOSING.exec(last.node.data.slice(after))?.[0].length ?? 0));
      return range;
    },
  };
}

/** The statements of one answer. */
export class Statements {
  /** @param {HTMLElement} body */
  constructor(body) {
    this.body = body;
    /** @type {Placed[]} */
    this.placed = [];
  }

  /**
   * Put the verdicts on the page, in place of those of an earlier look.
   *
   * @param {string} text
   * @param {RunSentence[]} sentences
   */
  show(text, sentences) {
    for (const made of this.body.querySelectorAll(MADE)) made.remove();
    this.body.normalize();
    this.placed = placeStatements(this.body, text, sentences);
    for (const placed of this.placed) {
      for (const chip of placed.chips) nameVerdict(chip, placed.sentence.verdict);
      // Where a statement was left out, a notice says so.
      const { verdict, left_out: leftOut } = placed.sentence;
      if (placed.range && !leftOut && TOLD.has(verdict)) insertBadge(placed);
    }
  }

  /**
   * The statement that an element of it or a point of the window belongs to.
   *
   * @param {{target: EventTarget | null, clientX?: number, clientY?: number}} event
   * @returns {Placed | null}
   */
  at(event) {
    const target = event.target instanceof Element ? event.target.closest(".chip, .badge") : null;
    if (target?.matches(".badge")) {
      const index = Number(target.getAttribute("data-sentence"));
      return this.placed.find((placed) => placed.sentence.index === index) ?? null;
    }
    if (target) return this.placed.find((placed) => placed.chips.includes(target)) ?? null;
    if (event.clientX === undefined || event.clientY === undefined) return null;
    const { clientX: x, clientY: y } = event;
    const within = (/** @type {DOMRect} */ box) =>
      x >= box.left && x <= box.right && y >= box.top && y <= box.bottom;
    return (
      this.placed.find((placed) => placed.range && [...placed.range.getClientRects()].some(within)) ?? null
    );
  }

  /** @param {(sentence: RunSentence) => boolean} wanted light these statements, and no others of any answer */
  light(wanted) {
    const lit = this.placed.filter((placed) => wanted(placed.sentence));
    const chips = new Set(lit.flatMap((placed) => placed.chips));
    for (const chip of this.body.querySelectorAll(".chip")) chip.classList.toggle("lit", chips.has(chip));
    lightRanges(lit.flatMap((placed) => placed.range ?? []));
  }
}

/** @param {Range[]} ranges */
function lightRanges(ranges) {
  // Lights words without touching the text; browsers that cannot do it light the chips alone.
  if (typeof Highlight === "undefined" || !CSS.highlights) return;
  if (ranges.length) CSS.highlights.set("statement", new Highlight(...ranges));
  else CSS.highlights.delete("statement");
}

/**
 * @param {Element} chip
 * @param {string} verdict
 */
function nameVerdict(chip, verdict) {
  const { icon: sign, text } = verdictOf(verdict);
  const name = chip.getAttribute("data-name") ?? chip.getAttribute("aria-label") ?? "";
  chip.setAttribute("data-name", name);
  chip.classList.remove(...Object.keys(VERDICTS));
  chip.classList.add(verdict);
  if (verdict === "exempt") return;
  chip.setAttribute("aria-label", `${name}, ${text.toLowerCase()}`);
  chip.append(el("span", { class: "chip-verdict", "aria-hidden": "true" }, icon(sign)));
}

/** @param {Placed} placed */
function insertBadge({ sentence, range, chips }) {
  const { icon: sign, short } = verdictOf(sentence.verdict);
  const words = reasonText(sentence);
  const badge = el(
    "button",
    {
      class: `badge ${sentence.verdict}`,
      type: "button",
      "data-sentence": sentence.index,
      "aria-label": words,
      title: words,
    },
    icon(sign),
    short,
  );
  badge.addEventListener("click", () => emit(badge, "fn-badge", sentence));
  endOf(/** @type {Range} */ (range), chips.at(-1)).insertNode(badge);
}

/**
 * The place behind a statement: after its last chip and the full stop that follows.
 *
 * @param {Range} range
 * @param {Element | undefined} chip
 */
function endOf(range, chip) {
  const end = range.cloneRange();
  end.collapse(false);
  if (chip && range.comparePoint(chip, 0) > 0) {
    end.setStartAfter(chip);
    const next = chip.nextSibling;
    const closing = next instanceof Text ? CLOSING.exec(next.data) : null;
    if (next && closing) end.setStart(next, closing[0].length);
    end.collapse(true);
  }
  // A button may not stand inside a link.
  const link = end.startContainer.parentElement?.closest("a");
  if (link) end.setStartAfter(link);
  end.collapse(true);
  return end;
}
