/** The sources of one answer: what it cites, and apart from that what else was read. */

import { el, emit, icon } from "../lib/dom.js";
import { isUnsourced, needsNoSource, placeText, reasonText, verdictOf, wordsHref } from "../lib/words.js";
import { excerptNodes } from "./excerpt.js";

/** @typedef {import("../lib/types.js").Run} Run */
/** @typedef {import("../lib/types.js").RunCitation} RunCitation */
/** @typedef {import("../lib/types.js").RunPassage} RunPassage */
/** @typedef {import("./answer-view.js").AnswerView} AnswerView */
/** @typedef {import("./answer-view.js").Lit} Lit */

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
    /** What was opened: it stays lit while nothing else is pointed at. @type {Lit | null} */
    this.chosen = null;
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
    this.chosen = null;
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
    this.chosen = null;
    this.light(null);
    this.origin?.focus();
    this.origin = null;
  }

  /**
   * @param {AnswerView} view
   * @param {{open?: boolean}} [options] open: bring the sheet up on a small screen
   */
  show(view, { open = false } = {}) {
    if (view !== this.view) this.chosen = null;
    this.view = view;
    if (open) this.classList.add("is-open");
    const run = view.run;
    if (!run) return;
    if (isUnsourced(run)) {
      this.content.replaceChildren(
        el("p", { class: "sources-hint" }, run.label ?? "No sources were searched."),
      );
      return;
    }
    if (needsNoSource(run)) {
      this.content.replaceChildren(
        el("p", { class: "sources-hint" }, "Nothing was claimed here, so there is no source to show."),
      );
      return;
    }
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
            el("ol", { class: "cards" }, ...others.map((passage) => readCard(run, passage))),
          )
        : "",
    );
  }

  /**
   * Move to the card of a source, and remember where to go back.
   *
   * @param {{number: number, sentence: number | null}} cited
   * @param {HTMLElement | null} origin
   */
  focusCard({ number, sentence }, origin) {
    this.origin = origin;
    this.chosen = { number, sentence };
    this.light(this.chosen);
    const card = this.#card(number);
    (card?.querySelector(".evidence.lit") ?? card)?.scrollIntoView({ block: "nearest", behavior: "smooth" });
    card?.focus({ preventScroll: true });
  }

  /**
   * Light a card, and in it the words that a statement rests on; without a number, the words alone.
   *
   * @param {Lit | null} lit
   */
  light(lit) {
    const { number = null, sentence = null } = lit ?? this.chosen ?? {};
    for (const card of this.querySelectorAll(".card")) {
      let rests = false;
      for (const words of card.querySelectorAll(".evidence")) {
        const own = words.getAttribute("data-sentences")?.split(" ") ?? [];
        const here = sentence !== null && own.includes(String(sentence));
        words.classList.toggle("lit", here);
        rests ||= here;
      }
      const named = number === null ? rests : card.getAttribute("data-number") === String(number);
      card.classList.toggle("lit", named);
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
      ...disagreements(run, passage),
      ...distinct(group).map((citation) => this.#evidence(run, group, citation)),
    );
    const all = group.flatMap((citation) => citation.sentence ?? []);
    for (const kind of ["pointerleave", "focusout"]) {
      card.addEventListener(kind, () => emit(this, "fn-card", null));
    }
    card.addEventListener("focusin", () => {
      const { number, sentence } = this.chosen ?? {};
      const one = number === first.number && typeof sentence === "number" ? [sentence] : null;
      emit(this, "fn-card", one ?? all);
    });
    card.addEventListener("click", () => {
      this.chosen = { number: first.number, sentence: null };
      this.light(this.chosen);
    });
    return card;
  }

  /**
   * The words of one range with what was found about every statement that rests on them.
   *
   * @param {Run} run
   * @param {RunCitation[]} group all citations of the card
   * @param {RunCitation} citation
   */
  #evidence(run, group, citation) {
    const same = group.filter((other) => other.start === citation.start && other.end === citation.end);
    const indexes = [...new Set(same.flatMap((other) => other.sentence ?? []))];
    const words = el(
      "div",
      { class: "evidence", "data-sentences": indexes.join(" ") },
      quotation(citation.excerpt),
      ...verdictRows(run.sentences.filter((sentence) => indexes.includes(sentence.index))),
      ...openLinks(citation, `run=${run.id}&citation=${citation.number}&`),
    );
    words.addEventListener("pointerenter", () => emit(this, "fn-card", indexes));
    return words;
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
 * What was found about statements; several with the same words are told once.
 *
 * @param {import("../lib/types.js").RunSentence[]} sentences
 */
function verdictRows(sentences) {
  const rows = new Map(
    sentences
      .filter((sentence) => sentence.verdict !== "exempt")
      .map((sentence) => [reasonText(sentence), sentence.verdict]),
  );
  return [...rows].map(([words, verdict]) =>
    el("p", { class: `verdict ${verdict}` }, icon(verdictOf(verdict).icon), el("span", {}, words)),
  );
}

/**
 * Other sources of this answer that say nearly the same, but not quite.
 *
 * @param {Run} run
 * @param {RunPassage | undefined} passage
 */
function disagreements(run, passage) {
  return (passage?.differs ?? []).map(({ label, differences }) => {
    const other = run.passages.find((item) => item.label === label);
    const number = run.citations.find((item) => item.passage === other?.key)?.number;
    const words = differences
      .map(([here, there]) => `${quoted(here)} here, ${quoted(there)} there`)
      .join("; ");
    const name = number ? `source ${number}` : "another passage that was read";
    const title = other ? ` (${other.title})` : "";
    return el(
      "p",
      { class: "verdict weak disagreement" },
      icon("split"),
      el("span", { dir: "auto" }, `Differs from ${name}${title}: ${words}.`),
    );
  });
}

/** @param {string} words */
function quoted(words) {
  return words ? `\u201c${words}\u201d` : "nothing";
}

/**
 * The words of a source; nothing where they were erased or are not the reader's to see.
 *
 * @param {import("../lib/types.js").Excerpt} excerpt
 */
function quotation(excerpt) {
  const empty = !excerpt.before && !excerpt.match && !excerpt.after;
  return empty ? null : el("blockquote", { dir: "auto" }, ...excerptNodes(excerpt));
}

/**
 * @param {Run} run
 * @param {RunPassage} passage
 */
function readCard(run, passage) {
  return el(
    "li",
    { class: "card" },
    cardHead("", passage, placeText(passage)),
    ...disagreements(run, passage),
    el("div", { class: "evidence" }, quotation(passage.excerpt), ...openLinks(passage)),
  );
}

/**
 * Links to the words in their document: in the version that was read, and to the version of today where that is another.
 *
 * @param {{document: string, version: number, start: number, end: number, title: string,
 *   standing?: import("../lib/types.js").Standing}} place
 * @param {string} [from] the citation it is opened from, as parameters: the reader then leads on to the others
 */
function openLinks(place, from = "") {
  const { document: id, title, standing } = place;
  if (standing && !["current", "replaced", "not_valid"].includes(standing.state)) return [];
  const replaced = Boolean(standing?.newest);
  const href = wordsHref(place, from);
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
