/** The sources of one answer: what it cites, and apart from that what else was read. */

import { el, emit, icon } from "../lib/dom.js";
import { codePointSlice, placeText, VERDICTS } from "../lib/words.js";
import { excerptNodes } from "./excerpt.js";

/** @typedef {import("../lib/types.js").Run} Run */
/** @typedef {import("../lib/types.js").RunCitation} RunCitation */
/** @typedef {import("../lib/types.js").RunPassage} RunPassage */
/** @typedef {import("./answer-view.js").AnswerView} AnswerView */

export class SourcesPanel extends HTMLElement {
  // Stands in the page's own HTML and is upgraded there, so its children can be used at once.
  constructor() {
    super();
    this.content = el("div", { class: "sources-content" });
    this.closer = el(
      "button",
      {
        class: "icon-button sources-close",
        type: "button",
        "aria-label": "Close sources",
        onclick: () => this.close(),
      },
      icon("cross"),
    );
    const head = el(
      "div",
      { class: "sources-head" },
      el("h2", { id: "sources-title" }, "Sources"),
      this.closer,
    );
    this.append(head, this.content);
    /** @type {AnswerView | null} */
    this.view = null;
    /** Where the focus came from. @type {HTMLElement | null} */
    this.origin = null;
    this.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.stopPropagation();
        this.close();
      }
    });
    this.clear();
  }

  clear() {
    this.view = null;
    this.classList.remove("is-open");
    this.content.replaceChildren(
      el(
        "p",
        { class: "sources-hint" },
        "The passages an answer rests on appear here, with the exact words marked.",
      ),
    );
  }

  close() {
    this.classList.remove("is-open");
    this.light(null);
    this.origin?.focus();
    this.origin = null;
  }

  /**
   * @param {AnswerView} view
   * @param {{open?: boolean}} [options] open: bring the sheet up on a small screen
   */
  show(view, { open = false } = {}) {
    this.view = view;
    if (open) this.classList.add("is-open");
    const run = view.run;
    if (!run) return;
    const groups = groupByNumber(run.citations);
    const cited = new Set(run.citations.map((citation) => citation.passage));
    const others = run.passages.filter((passage) => !cited.has(passage.key) && !cited.has(passage.label));
    this.content.replaceChildren(
      el(
        "p",
        { class: "sources-query" },
        "Searched for: ",
        el("q", { dir: "auto" }, run.query || run.question),
        " ",
        el("a", { class: "sources-why", href: `/search/?run=${encodeURIComponent(run.id)}` }, "Why these?"),
      ),
      ...(run.notes ?? []).map((note) => el("p", { class: "sources-hint" }, note)),
      el("h3", {}, `Cited (${groups.length})`),
      groups.length
        ? el("ol", { class: "cards" }, ...groups.map((group) => this.#citedCard(run, group)))
        : el("p", { class: "sources-hint" }, "This answer cites no passage."),
      others.length
        ? el(
            "details",
            { class: "also-read", open: run.no_answer },
            el("summary", {}, `Also read (${others.length})`),
            el("ol", { class: "cards" }, ...others.map(readCard)),
          )
        : "",
    );
  }

  /**
   * Move to the card of a number, and remember where to go back.
   *
   * @param {number} number
   * @param {HTMLElement | null} origin
   */
  focusCard(number, origin) {
    this.origin = origin;
    this.light(number);
    const card = this.#card(number);
    card?.scrollIntoView({ block: "nearest", behavior: "smooth" });
    card?.focus({ preventScroll: true });
  }

  /** @param {number | null} number */
  light(number) {
    for (const card of this.querySelectorAll(".card")) {
      card.classList.toggle("lit", card.getAttribute("data-number") === String(number));
    }
  }

  /**
   * @param {number} number
   * @returns {HTMLElement | null}
   */
  #card(number) {
    return this.querySelector(`.card[data-number="${number}"]`);
  }

  /**
   * @param {Run} run
   * @param {RunCitation[]} group all citations with one number
   */
  #citedCard(run, group) {
    const first = /** @type {RunCitation} */ (group[0]);
    const passage = run.passages.find((item) => item.key === first.passage || item.label === first.passage);
    const place = placeText({ ...first, heading_path: first.heading_path ?? passage?.heading_path });
    const card = el(
      "li",
      { class: "card", tabindex: "-1", "data-number": first.number, "aria-label": `Source ${first.number}` },
      cardHead(String(first.number), first, place),
      ...distinct(group).map((citation) => evidence(run, citation, passage)),
    );
    card.addEventListener("pointerenter", () => emit(this, "fn-card", first.number));
    card.addEventListener("pointerleave", () => emit(this, "fn-card", null));
    card.addEventListener("focusin", () => emit(this, "fn-card", first.number));
    card.addEventListener("click", () => {
      this.light(first.number);
      emit(this, "fn-card", first.number);
    });
    return card;
  }
}

/**
 * @param {RunCitation[]} citations
 * @returns {RunCitation[][]}
 */
function groupByNumber(citations) {
  /** @type {Map<number, RunCitation[]>} */
  const groups = new Map();
  for (const citation of citations) {
    const group = groups.get(citation.number);
    if (group) group.push(citation);
    else groups.set(citation.number, [citation]);
  }
  return [...groups.entries()].sort((a, b) => a[0] - b[0]).map(([, group]) => group);
}

/**
 * Several sentences may rest on the same words: show those words once.
 *
 * @param {RunCitation[]} group
 */
function distinct(group) {
  /** @type {Map<string, RunCitation>} */
  const seen = new Map();
  for (const citation of group) {
    const key = `${citation.start}-${citation.end}`;
    if (!seen.has(key)) seen.set(key, citation);
  }
  return [...seen.values()];
}

/**
 * @param {string} number
 * @param {{title: string, standing?: import("../lib/types.js").Standing}} source
 * @param {string} place
 */
function cardHead(number, { title, standing }, place) {
  return el(
    "div",
    { class: "card-head" },
    number && el("span", { class: "card-number", "aria-hidden": "true" }, number),
    el(
      "div",
      {},
      el("strong", { class: "card-title", dir: "auto" }, title || "A source"),
      place && el("span", { class: "card-place" }, place),
      standing?.words && el("span", { class: `card-standing ${standing.state}` }, standing.words),
    ),
  );
}

/**
 * @param {Run} run
 * @param {RunCitation} citation
 * @param {RunPassage | undefined} passage
 */
function evidence(run, citation, passage) {
  const excerpt = citation.excerpt ?? { before: "", match: citation.quote, after: "" };
  const above = passage && codePointSlice(passage.text, 0, citation.start - passage.start);
  const sentence = run.sentences.find((item) => item.index === citation.sentence);
  const verdict = sentence && VERDICTS[sentence.verdict];
  return el(
    "div",
    { class: "evidence" },
    quotation(excerpt, above),
    verdict &&
      el(
        "p",
        { class: `verdict ${sentence.verdict}` },
        icon(verdict.icon),
        el("span", {}, [verdict.text, ...sentence.reasons].join(": ")),
      ),
    ...openLinks(citation, `run=${run.id}&citation=${citation.number}&`),
  );
}

/**
 * The words of a source; nothing where they were erased or are not the reader's to see.
 *
 * @param {{before: string, match: string, after: string}} excerpt
 * @param {string | undefined} above
 */
function quotation(excerpt, above) {
  const empty = !excerpt.before && !excerpt.match && !excerpt.after;
  return empty ? null : el("blockquote", { dir: "auto" }, ...excerptNodes(excerpt, above));
}

/** @param {RunPassage} passage */
function readCard(passage) {
  const characters = Array.from(passage.text);
  const text = characters.length > 320 ? `${characters.slice(0, 320).join("")}\u2026` : passage.text;
  return el(
    "li",
    { class: "card" },
    cardHead("", passage, placeText(passage)),
    el(
      "div",
      { class: "evidence" },
      quotation({ before: text, match: "", after: "" }, ""),
      ...openLinks(passage),
    ),
  );
}

/**
 * Links to the words in their document: in the version that was read, and to the version of today where that is another.
 *
 * @param {{document: string, version: number, start: number, end: number, title: string,
 *   standing?: import("../lib/types.js").Standing}} place
 * @param {string} [from] the citation it is opened from, as parameters: the reader then leads on to the others
 */
function openLinks({ document: id, version, start, end, title, standing }, from = "") {
  if (standing && !["current", "replaced"].includes(standing.state)) return [];
  const replaced = standing?.state === "replaced";
  const href = `/documents/${id}/v/${version}/?${from}start=${start}&end=${end}#match`;
  const words = replaced ? "Open the cited version" : "Open in document";
  return [
    el("a", { class: "card-open", href, "aria-label": `${words}: ${title}` }, words),
    replaced &&
      el(
        "a",
        { class: "card-open", href: `/documents/${id}/`, "aria-label": `Open the current version: ${title}` },
        "Open the current version",
      ),
  ];
}
