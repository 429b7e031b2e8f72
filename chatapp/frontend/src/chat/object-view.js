/** An answer that is an object: drawn as a list of its fields, a list of like objects as a table, never as raw braces. */

import { el } from "../lib/dom.js";
import { readableText, renderMarkdown } from "../lib/markdown.js";

/** @typedef {string | number | boolean | null | Json[] | {[name: string]: Json}} Json */

const ESCAPED = /\\(["\\/bfnrt])/g;
const MARK = /\ue000\d{1,4}\ue001/g;

/**
 * The object of an answer's text, its texts with their marks; null where the answer is words.
 *
 * @param {string} text
 * @returns {{[name: string]: Json} | null}
 */
export function objectOf(text) {
  try {
    const found = JSON.parse(text);
    return isObject(found) ? found : null;
  } catch {
    return null;
  }
}

/**
 * The text of an object as its values read, with every character at its old place.
 *
 * @param {string} text
 */
export function valuesText(text) {
  return text.replace(ESCAPED, (_, sign) => ` ${'"\\/'.includes(sign) ? sign : " "}`);
}

/**
 * The JSON for copying, without marks.
 *
 * @param {string} text
 */
export function jsonText(text) {
  return readableText(text.replace(MARK, ""));
}

/** @param {{[name: string]: Json}} value */
export function objectElement(value) {
  return fieldsOf(value);
}

/** @param {Json} value */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @param {{[name: string]: Json}} value */
function fieldsOf(value) {
  const rows = Object.entries(value).map(([name, each]) =>
    el(
      "div",
      {},
      el("dt", { class: "object-name", dir: "auto" }, nameText(name)),
      el("dd", {}, valueNode(each)),
    ),
  );
  return el("dl", { class: "object-fields" }, ...rows);
}

/**
 * "due_date" and "dueDate" as people write them.
 *
 * @param {string} name
 */
function nameText(name) {
  const words = name
    .replace(/([\p{Ll}\d])(\p{Lu})/gu, "$1 $2")
    .replace(/[_-]+/g, " ")
    .trim();
  return words ? words.charAt(0).toUpperCase() + words.slice(1) : name;
}

/**
 * @param {Json} value
 * @returns {Node}
 */
function valueNode(value) {
  if (typeof value === "string") return value.trim() ? textNode(value) : nothing();
  if (Array.isArray(value)) return value.length ? listNode(value) : nothing();
  if (value === null) return nothing();
  if (typeof value === "object") return Object.keys(value).length ? fieldsOf(value) : nothing();
  return document.createTextNode(String(value));
}

/** @param {string} value */
function textNode(value) {
  const fragment = renderMarkdown(value);
  const only = fragment.children.length === 1 ? fragment.firstElementChild : null;
  if (only?.tagName !== "P") return el("div", { dir: "auto" }, fragment);
  return el("span", { dir: "auto" }, ...only.childNodes);
}

function nothing() {
  return el("span", { class: "object-none object-name" }, "none");
}

/** @param {Json[]} values */
function listNode(values) {
  const columns = columnsOf(values);
  if (!columns) return el("ul", {}, ...values.map((each) => el("li", {}, valueNode(each))));
  const head = columns.map((name) =>
    el("th", { class: "object-name", scope: "col", dir: "auto" }, nameText(name)),
  );
  const rows = values.map((each) => {
    const cells = /** @type {{[name: string]: Json}} */ (each);
    return el("tr", {}, ...columns.map((name) => el("td", {}, valueNode(cells[name] ?? null))));
  });
  const table = el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows));
  return el("div", { class: "object-table", tabindex: "0", role: "region", "aria-label": "Table" }, table);
}

/**
 * The columns of a table; null where the values are no objects of the same plain fields in the same order.
 *
 * @param {Json[]} values
 * @returns {string[] | null}
 */
function columnsOf(values) {
  const [first] = values;
  if (!isObject(first ?? null)) return null;
  const columns = Object.keys(/** @type {object} */ (first));
  const alike = values.every(
    (each) =>
      isObject(each) &&
      Object.keys(/** @type {object} */ (each)).join("\n") === columns.join("\n") &&
      Object.values(/** @type {object} */ (each)).every((cell) => typeof cell !== "object" || cell === null),
  );
  return alike && columns.length ? columns : null;
}
