import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

const frontend = new URL("../../../chatapp/frontend/", import.meta.url);
const { JSDOM } = createRequire(new URL("package.json", frontend))("jsdom");
const { window } = new JSDOM("", { url: "http://localhost/" });
const names = ["document", "Element", "HTMLElement", "Node", "NodeFilter", "Text", "CustomEvent"];
for (const name of names) globalThis[name] = window[name];
globalThis.window = window;
const { AnswerView } = await import(new URL("src/chat/answer-view.js", frontend));

/** A view of a finished answer whose sentences are `[verdict, leftOut]`. */
function view(...sentences) {
  const words = "It is so. ";
  const run = {
    id: "r", status: "done", question: "?", query: "?", model: "m", no_answer: false, error: null, timings: {},
    passages: [], citations: [{ number: 1, title: "A", passage: "k", sentence: 0, page: null }],
    sentences: sentences.map(([verdict, left_out = false], index) => ({
      index, start: index * words.length, end: (index + 1) * words.length, verdict, reasons: [], citations: [], left_out,
    })),
  };
  const made = new AnswerView({ question: "?", text: words.repeat(sentences.length), run });
  made.setRun(run);
  return made;
}

const checks = (made) => made.element.querySelector(".bar-checks").textContent;

test("only what is shown is counted as found or not found", () => {
  const made = view(["supported"], ["supported", true], ["uncited", true], ["exempt"]);
  assert.equal(checks(made), "1 of 1 statement found in sources, 2 left out");
  assert.equal(made.summary(), "Answer ready: 1 source, 2 left out.");
});

test("what is shown and not found is listed, what was left out is not", () => {
  const made = view(["supported"], ["uncited"], ["unsupported", true]);
  assert.match(checks(made), /^1 of 2 statements found in sources, 1 left out/);
  assert.equal(made.element.querySelectorAll(".bar-checks li").length, 1);
  assert.equal(made.summary(), "Answer ready: 1 source, 1 statement not found in sources, 1 left out.");
});

test("an answer of which nothing is left says so", () => {
  assert.equal(checks(view(["supported", true])), "1 statement left out");
});

test("an answer with nothing left out says nothing of it", () => {
  assert.equal(checks(view(["supported"], ["unchecked"])).split("It")[0], "1 of 2 statements found in sources, 1 not checked");
});

test("an answer without one names the nearest passages of today, as links to their words", () => {
  const made = view();
  const nearest = made.element.querySelector(".answer-nearest");
  assert.equal(nearest.hidden, true);
  const place = { document: "d", version: 2, title: "<b>Lease</b>", page: 3, start: 5, end: 9 };
  made.setRun({ ...made.run, no_answer: true, related: [place, { ...place, start: 7 }, { ...place, title: "Rent", page: null }] });
  assert.equal(nearest.hidden, false);
  assert.equal(nearest.textContent, "Nearest, though it hardly answers this: <b>Lease</b>, page 3, Rent");
  assert.equal(nearest.querySelector("a").getAttribute("href"), "/documents/d/v/2/?start=5&end=9#match");
  made.setRun({ ...made.run, related: [] }); // its reader may open none of them any more
  assert.equal(nearest.hidden, true);
});
