import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

const frontend = new URL("../../../chatapp/frontend/", import.meta.url);
const { JSDOM } = createRequire(new URL("package.json", frontend))("jsdom");
const { window } = new JSDOM("", { url: "http://localhost/" });
for (const name of ["document", "Element", "Node", "HTMLElement", "CustomEvent"]) globalThis[name] = window[name];
globalThis.window = window;
const { SourcesPanel } = await import(new URL("src/chat/sources-panel.js", frontend));
window.customElements.define("fn-sources", SourcesPanel);

const TEXT = "\u{1f600} Prices\n\n| Item | Amount |\n|---|---|\n| Rent | 1,200 |\n| Heating | 90 |";
const at = (words) => 100 + Array.from(TEXT.slice(0, TEXT.indexOf(words))).length;

const passage = {
  label: "S1", key: "k1", document: "d1", version: 2, title: "Lease", heading_path: [], page: null,
  start: 100, end: 100 + Array.from(TEXT).length, text: TEXT, score: 1, used: true, excerpt: { before: TEXT, match: "", after: "", above: "" },
};
const citation = {
  number: 1, passage: "k1", document: "d1", version: 2, title: "Lease", page: null, start: at("90"), end: at("90") + 2,
  quote: "90", sentence: 0, excerpt: { before: "| Heating | ", match: "90", after: " |", above: TEXT.slice(TEXT.indexOf("| Item"), TEXT.indexOf("90")) },
};
const run = {
  id: "r", status: "done", question: "?", query: "?", model: "m", no_answer: false, passages: [passage],
  citations: [citation], sentences: [], timings: {}, error: null,
};

function shown(changes) {
  document.body.innerHTML = "<fn-sources></fn-sources>";
  const panel = document.querySelector("fn-sources");
  panel.show({ run: { ...run, ...changes } });
  return panel;
}

test("a cited table row names the columns that stand further up in its passage", () => {
  const panel = shown({});
  const quote = panel.querySelector("blockquote");
  assert.deepEqual([...quote.querySelectorAll(".source-cell")].map((cell) => cell.textContent), [
    "Item: Heating",
    "Amount: 90",
  ]);
  assert.equal(quote.querySelector("mark").textContent, "90");
  const link = panel.querySelector(".card-open").getAttribute("href");
  assert.equal(link, `/documents/d1/v/2/?run=r&citation=1&start=${citation.start}&end=${citation.end}#match`);
});

test("a passage that was only read shows its table too", () => {
  const panel = shown({ citations: [] });
  const rows = [...panel.querySelectorAll(".source-row")].map((row) => row.textContent);
  assert.deepEqual(rows, ["Item: RentAmount: 1,200", "Item: HeatingAmount: 90"]);
  assert.match(panel.querySelector("blockquote").textContent, /^\u{1f600} Prices/u);
});

test("a passage that was only read leads to its words alone", () => {
  const link = shown({ citations: [] }).querySelector(".card-open").getAttribute("href");
  assert.equal(link, `/documents/d1/v/2/?start=${passage.start}&end=${passage.end}#match`);
});

test("a place in a presentation is a slide, anywhere else a page", () => {
  const panel = shown({ citations: [{ ...citation, page: 3, page_kind: "slide" }] });
  assert.equal(panel.querySelector(".card-place").textContent, "slide 3");
  const other = shown({ citations: [{ ...citation, page: 3 }] });
  assert.equal(other.querySelector(".card-place").textContent, "page 3");
});

test("words of a deleted document stay, without a link", () => {
  const standing = { state: "deleted", words: "The document has been deleted.", newest: null };
  const panel = shown({ citations: [{ ...citation, standing }] });
  assert.equal(panel.querySelector(".card-open"), null);
  assert.match(panel.textContent, /has been deleted/);
  assert.equal(panel.querySelector("mark").textContent, "90");
});

const sentence = { index: 0, start: 0, end: 9, verdict: "unsupported", score: 0, reasons: ["number 91 not in the source"] };

test("each range of words tells what was found about every statement that rests on it, once", () => {
  const sentences = [sentence, { ...sentence, index: 1 }, { ...sentence, index: 2, verdict: "supported", reasons: [] }];
  const citations = [0, 1, 2].map((index) => ({ ...citation, sentence: index }));
  const panel = shown({ sentences, citations });
  const words = panel.querySelector(".evidence");
  assert.equal(panel.querySelectorAll(".evidence").length, 1);
  assert.equal(words.getAttribute("data-sentences"), "0 1 2");
  assert.deepEqual([...words.querySelectorAll(".verdict")].map((row) => row.textContent), [
    "Not found in the source: number 91 not in the source",
    "Found in the source",
  ]);
});

test("a statement lights its own words, a source its card", () => {
  const other = { ...citation, start: at("Rent"), end: at("Rent") + 4, quote: "Rent", sentence: 1 };
  const panel = shown({ sentences: [sentence, { ...sentence, index: 1 }], citations: [citation, other] });
  const lit = () => [...panel.querySelectorAll(".evidence")].map((words) => words.classList.contains("lit"));
  panel.light({ number: null, sentence: 1 });
  assert.deepEqual(lit(), [false, true]);
  assert.ok(panel.querySelector(".card").classList.contains("lit"));
  panel.light({ number: 2, sentence: null });
  assert.deepEqual(lit(), [false, false]);
  assert.equal(panel.querySelector(".card.lit"), null);
  panel.light(null);
  assert.equal(panel.querySelector(".lit"), null);
});

test("words under the pointer light the statements that rest on them", () => {
  const panel = shown({ sentences: [sentence] });
  const told = [];
  panel.addEventListener("fn-card", (event) => told.push(event.detail));
  panel.querySelector(".evidence").dispatchEvent(new window.Event("pointerenter"));
  panel.querySelector(".card").dispatchEvent(new window.Event("pointerleave"));
  assert.deepEqual(told, [[0], null]);
});

test("sources that contradict each other are named with the words here and there", () => {
  const second = { ...passage, label: "S2", key: "k2", title: "Old <lease>" };
  const differs = [{ label: "S2", differences: [["90", "95"], ["", "only"]] }];
  const panel = shown({ passages: [{ ...passage, differs }, second] });
  assert.equal(
    panel.querySelector(".disagreement").textContent,
    "Differs from another passage that was read (Old <lease>): \u201c90\u201d here, \u201c95\u201d there; nothing here, \u201conly\u201d there.",
  );
  const both = shown({
    passages: [{ ...passage, differs }, second],
    citations: [citation, { ...citation, passage: "k2", number: 2 }],
  });
  assert.match(both.querySelector(".disagreement").textContent, /^Differs from source 2 /);
});

test("small talk shows no sources", () => {
  const panel = shown({ citations: [], sentences: [{ ...sentence, verdict: "exempt" }] });
  assert.equal(panel.querySelector(".card"), null);
  assert.match(panel.textContent, /no source to show/);
});

test("the sources lead to the search behind them", () => {
  const link = shown({ id: "a b/c" }).querySelector(".sources-query a");
  assert.equal(link.textContent, "Why these?");
  assert.equal(link.getAttribute("href"), "/search/?run=a%20b%2Fc");
});
