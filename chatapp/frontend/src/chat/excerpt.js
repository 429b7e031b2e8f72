/**
 * The words of a source card. Rows of tables are shown as "column: value" lines, or as cells where the columns are
 * not known; the cited words stay marked to the character. Everything is made of text nodes.
 */

import { el } from "../lib/dom.js";

/** @typedef {import("../lib/types.js").Excerpt} Excerpt */
/** @typedef {[number, number]} Range */
/** @typedef {{label: string, name: Range | null, value: Range}} Cell a label from elsewhere, or a name in the text */

const LABEL = /^([^:;|\n]{1,60}): (?=\S)/;
const CUT = "\u2026"; // how a shortened excerpt begins or ends

/**
 * Return the nodes of an excerpt.
 *
 * @param {Excerpt} excerpt
 * @returns {Node[]}
 */
export function excerptNodes({ before, match, after, above }) {
  const source = new Source(before + match + after, [before.length, before.length + match.length]);
  const nodes = source.nodes(headAbove(above));
  const shown = nodes.some(
    (node) => node instanceof Element && (node.matches("mark") || node.querySelector("mark")),
  );
  return shown || !match ? nodes : source.cut([0, source.text.length]);
}

class Source {
  /**
   * @param {string} text
   * @param {Range} marked
   */
  constructor(text, marked) {
    this.text = text;
    this.marked = marked;
  }

  /**
   * @param {string[] | null} head the columns of the table in whose middle the text begins
   * @returns {Node[]}
   */
  nodes(head) {
    const lines = linesOf(this.text);
    /** @type {Node[]} */
    const made = [];
    let plain = 0; // where the plain text begins that is not drawn yet
    for (const [index, line] of lines.entries()) {
      const words = this.text.slice(...line);
      const next = lines[index + 1];
      if (!words.trim()) head = null;
      const drawn = this.#row(
        line,
        words,
        head,
        next ? this.text.slice(...next) : "",
        index + 2 < lines.length,
      );
      if (!drawn) continue;
      head = drawn.head;
      made.push(...this.cut([plain, line[0]]), ...drawn.nodes);
      plain = Math.min(line[1] + 1, this.text.length);
    }
    return [...made, ...this.cut([plain, this.text.length])];
  }

  /**
   * @param {Range} line
   * @param {string} words the line
   * @param {string[] | null} head
   * @param {string} next the line after it
   * @param {boolean} goesOn whether lines follow the next one
   * @returns {{nodes: Node[], head: string[] | null} | null} null for a line that is no row
   */
  #row(line, words, head, next, goesOn) {
    if (isRule(words)) return { nodes: [], head };
    const bars = barCells(words);
    if (bars) {
      const cells = bars.cells.map((cell) => /** @type {Range} */ ([cell[0] + line[0], cell[1] + line[0]]));
      if (isRule(next)) {
        const columns = bars.cells.map((cell) => words.slice(...cell));
        return { nodes: goesOn && !this.#touches(line) ? [] : [this.#cellLine(cells)], head: columns };
      }
      const labels = head && columnsOf(head, cells.length, bars.fromLeft);
      if (!labels) return { nodes: [this.#cellLine(cells)], head };
      const named = cells.map((value, at) => ({ label: labels[at] ?? "", name: null, value }));
      return { nodes: [this.#lines(named)], head };
    }
    const named = namedCells(words, line[0]);
    return named && { nodes: [this.#lines(named)], head };
  }

  /** @param {Cell[]} cells */
  #lines(cells) {
    const filled = cells.filter((cell) => cell.value[0] < cell.value[1]);
    return el(
      "div",
      { class: "source-row" },
      ...filled.map(({ label, name, value }) => {
        const column = name ? this.cut(name) : label ? [document.createTextNode(`${label}: `)] : [];
        const head = column.length ? el("span", { class: "source-column" }, ...column) : null;
        return el("div", { class: "source-cell" }, head, ...this.cut(value));
      }),
    );
  }

  /** @param {Range[]} cells */
  #cellLine(cells) {
    const filled = cells.filter(([start, end]) => start < end);
    return el(
      "div",
      { class: "source-row" },
      ...filled.flatMap((cell, at) => [
        ...(at ? [document.createTextNode(" \u00b7 ")] : []),
        ...this.cut(cell),
      ]),
    );
  }

  /**
   * Cut a range at the borders of the marked words.
   *
   * @param {Range} range
   * @returns {Node[]}
   */
  cut([start, end]) {
    const low = Math.min(Math.max(start, this.marked[0]), end);
    const high = Math.max(Math.min(end, this.marked[1]), low);
    const [first, middle, last] = [
      this.text.slice(start, low),
      this.text.slice(low, high),
      this.text.slice(high, end),
    ];
    return [
      ...(first ? [document.createTextNode(first)] : []),
      ...(middle ? [el("mark", {}, middle)] : []),
      ...(last ? [document.createTextNode(last)] : []),
    ];
  }

  /** @param {Range} range */
  #touches([start, end]) {
    return Math.max(start, this.marked[0]) < Math.min(end, this.marked[1]);
  }
}

/**
 * @param {string} text
 * @returns {Range[]}
 */
function linesOf(text) {
  /** @type {Range[]} */
  const lines = [];
  let start = 0;
  for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
    lines.push([start, end]);
    start = end + 1;
  }
  return [...lines, [start, text.length]];
}

/**
 * Whether a line only draws the rule below the head of a table.
 *
 * @param {string} line
 */
function isRule(line) {
  return /^[\s|:\-\u2026]+$/.test(line) && line.includes("-") && line.includes("|");
}

/**
 * The cells of a Markdown table row, as ranges of the line without the spaces around them.
 *
 * @param {string} line
 * @returns {{cells: Range[], fromLeft: boolean} | null} fromLeft: the first cell is the first of the row
 */
function barCells(line) {
  const bars = [...line.matchAll(/(?<!\\)\|/g)].map((found) => found.index);
  const first = line.length - line.trimStart().length;
  const last = line.trimEnd().length;
  const opens = bars[0] === first;
  const closes = bars.at(-1) === last - 1 && bars.length > 1;
  if (!opens && !closes) return null;
  const borders = [...(opens ? [] : [first - 1]), ...bars, ...(closes ? [] : [last])];
  if (borders.length < 3) return null;
  /** @type {Range[]} */
  const cells = [];
  for (let at = 1; at < borders.length; at += 1) {
    const start = /** @type {number} */ (borders[at - 1]) + 1;
    const end = /** @type {number} */ (borders[at]);
    const words = line.slice(start, end);
    const low = start + words.length - words.trimStart().length;
    cells.push([low, Math.max(low, start + words.trimEnd().length)]);
  }
  return { cells, fromLeft: opens };
}

/**
 * The columns that the cells of a row belong to; a row that was cut at its beginning ends with the last.
 *
 * @param {string[]} head
 * @param {number} count
 * @param {boolean} fromLeft
 * @returns {string[] | null} null when the row has more cells than there are columns
 */
function columnsOf(head, count, fromLeft) {
  if (count > head.length) return null;
  return fromLeft ? head.slice(0, count) : head.slice(head.length - count);
}

/**
 * The cells of a row written as "Column: value; Column: value".
 *
 * @param {string} line
 * @param {number} offset of the line in its text
 * @returns {Cell[] | null} null for a line that is no such row
 */
function namedCells(line, offset) {
  /** @type {Cell[]} */
  const cells = [];
  let named = 0;
  for (let start = 0; start < line.length; ) {
    const found = line.indexOf("; ", start);
    const end = found < 0 ? line.length : found;
    const label = LABEL.exec(line.slice(start, end));
    const last = cells.at(-1);
    if (label) {
      const value = offset + start + label[0].length;
      cells.push({ label: "", name: [offset + start, value], value: [value, offset + end] });
      named += 1;
    } else if (last) {
      last.value[1] = offset + end; // a value with a semicolon
    } else if (line.startsWith(CUT)) {
      cells.push({ label: "", name: null, value: [offset, offset + end] });
    } else {
      return null;
    }
    start = end + 2;
  }
  return named > 1 || (named && cells.length > 1) ? cells : null;
}

/**
 * The columns of the table whose rows a text ends with.
 *
 * @param {string} text
 * @returns {string[] | null}
 */
function headAbove(text) {
  const lines = text.slice(text.lastIndexOf("\n\n") + 1).split("\n");
  for (let at = lines.length - 1; at > 0; at -= 1) {
    const head = isRule(lines[at] ?? "") ? barCells(lines[at - 1] ?? "") : null;
    if (head) return head.cells.map((cell) => (lines[at - 1] ?? "").slice(...cell));
  }
  return null;
}
