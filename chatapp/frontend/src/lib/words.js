/** Words and numbers for people. */

const SIZES = ["bytes", "kB", "MB", "GB"];

/** @param {number} bytes */
export function sizeText(bytes) {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < SIZES.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toLocaleString("en", { maximumFractionDigits: digits })} ${SIZES[unit]}`;
}

/**
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 */
export function countText(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/**
 * How long something still takes, about.
 *
 * @param {number} seconds
 */
export function waitText(seconds) {
  if (seconds < 45) return "less than a minute";
  const minutes = Math.max(1, Math.round(seconds / 60));
  return minutes < 90 ? `about ${countText(minutes, "minute")}` : `about ${Math.round(minutes / 60)} hours`;
}

/** @param {string | null | undefined} iso */
export function dateText(iso) {
  const date = iso ? new Date(iso) : null;
  if (!date || Number.isNaN(date.getTime())) return "";
  const today = new Date().toDateString() === date.toDateString();
  return today
    ? date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })
    : date.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}

/**
 * Where a passage stands, as far as its format knows.
 *
 * @param {{page?: number | null, page_kind?: "page" | "slide", heading_path?: string[]}} place
 */
export function placeText({ page, page_kind: kind = "page", heading_path: path }) {
  const parts = [];
  if (page) parts.push(`${kind} ${page}`);
  if (path?.length) parts.push(path.join(" \u203a "));
  return parts.join(" \u00b7 ");
}

/**
 * The address of words in the version of their document that was read.
 *
 * @param {{document: string, version: number, start: number, end: number}} place
 * @param {string} [from] more parameters, each followed by "&"
 */
export function wordsHref({ document: id, version, start, end }, from = "") {
  return `/documents/${id}/v/${version}/?${from}start=${start}&end=${end}#match`;
}

/**
 * The verdicts of a sentence: an icon and words, so that colour is never the only sign.
 *
 * @type {Record<string, {icon: "check" | "partial" | "cross" | "question", text: string, short: string}>}
 */
export const VERDICTS = {
  supported: { icon: "check", text: "Found in the source", short: "found" },
  weak: { icon: "partial", text: "Only partly found in the source", short: "partly found" },
  unsupported: { icon: "cross", text: "Not found in the source", short: "not in the source" },
  uncited: { icon: "question", text: "No source given", short: "no source" },
  unchecked: { icon: "question", text: "Not checked against the source", short: "not checked" },
  exempt: { icon: "partial", text: "Nothing to check", short: "nothing to check" },
};

/** @param {string} verdict one that this page does not know is told by its own name */
export function verdictOf(verdict) {
  return VERDICTS[verdict] ?? { icon: /** @type {const} */ ("question"), text: verdict, short: verdict };
}

/**
 * A verdict with its reasons: "Not found in the source: number 14.2 not in the source".
 *
 * @param {{verdict: string, reasons: string[]}} sentence
 */
export function reasonText({ verdict, reasons }) {
  const { text } = verdictOf(verdict);
  // "No source given: no source given" says it twice.
  const more = reasons.filter((reason) => reason.toLowerCase() !== text.toLowerCase());
  return more.length ? `${text}: ${more.join("; ")}` : text;
}

/**
 * Who answered, and in place of whom.
 *
 * @param {{model: string, answered_by?: string, in_place_of?: string}} run
 */
export function modelText({ model, answered_by: name, in_place_of: instead }) {
  if (!model) return "";
  const text = model.startsWith("extractive") ? "quotes only, no language model" : model;
  return instead ? `${name || text} in place of ${instead}` : text;
}

/**
 * Slice by code points, as every offset of the API counts.
 *
 * @param {string} text
 * @param {number} start
 * @param {number} end
 */
export function codePointSlice(text, start, end) {
  return Array.from(text).slice(start, end).join("");
}

/** A random id; `crypto.randomUUID` is missing where the page is not served over https or loopback. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/**
 * Whether an answer came from the model's training alone: it has no sources, and nothing of it was checked.
 *
 * @param {import("./types.js").Run | null} run
 */
export function isUnsourced(run) {
  return run?.answer_mode === "fine_tuned";
}

/**
 * Small talk: nothing was claimed, so there is nothing to show a source for.
 *
 * @param {import("./types.js").Run} run
 */
export function needsNoSource(run) {
  const claims = run.sentences.some((sentence) => sentence.verdict !== "exempt");
  return (
    run.status === "done" && !run.no_answer && !run.citations.length && run.sentences.length > 0 && !claims
  );
}
