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
const { jsonText, objectOf, valuesText } = await import(new URL("src/chat/object-view.js", frontend));

const MARK = "\ue0001\ue001";
const TEXT = JSON.stringify(
  { dueDate: `He said "now"${MARK}.\nThen.`, hours: 18, parts: [{ a: "x", b: 1 }, { a: "y", b: 2 }], tags: ["<b>"], gone: null },
  null,
  2,
);

function sentence(words, index, verdict) {
  const start = Array.from(TEXT.slice(0, TEXT.indexOf(words))).length;
  return { index, start, end: start + Array.from(words).length, verdict, reasons: [], citations: [] };
}

function run(changes = {}) {
  return {
    id: "r", status: "done", question: "?", query: "?", model: "m", no_answer: false, error: null, timings: {}, passages: [],
    citations: [{ number: 1, title: "A", passage: "k", sentence: 0, page: null }], structured: true,
    sentences: [sentence(`He said \\"now\\"${MARK}.`, 0, "supported"), sentence("Then.", 1, "uncited"), sentence("18", 2, "uncited")],
    ...changes,
  };
}

const view = (changes, text = TEXT) => {
  const made = new AnswerView({ question: "?", text, run: run(changes) });
  made.setRun(made.run);
  return made;
};

test("an object is drawn as fields and tables, with its marks and badges", () => {
  const { body } = view();
  assert.deepEqual([...body.querySelectorAll(".object-fields > div > dt")].map((one) => one.textContent), ["Due Date", "Hours", "Parts", "Tags", "Gone"]);
  assert.deepEqual([...body.querySelectorAll("thead th")].map((one) => one.textContent), ["A", "B"]);
  assert.equal(body.querySelectorAll("tbody tr").length, 2);
  assert.equal(body.querySelector("li").textContent, "<b>", "markup is text");
  assert.equal(body.querySelector(".chip").getAttribute("aria-label"), "Source 1, A, found in the source");
  assert.deepEqual([...body.querySelectorAll(".badge")].map((one) => one.closest("dd").textContent.includes("no source")), [true, true]);
  assert.ok(!body.textContent.includes("{"));
});

test("copying gives the JSON without marks", () => {
  assert.equal(JSON.parse(jsonText(TEXT)).dueDate, 'He said "now".\nThen.');
  assert.equal(valuesText(TEXT).length, TEXT.length);
});

test("while it is written nothing of an object is shown, and words instead of one are", () => {
  const made = new AnswerView({ question: "?" });
  made.handle({ type: "run.started", run: "r", structured: true, label: "", answer_mode: "retrieval" });
  made.handle({ type: "retrieval.done", query: "q", passages: [{}, {}] });
  assert.equal(made.progress.textContent, "Writing the answer from 2 passages…");
  made.handle({ type: "answer.delta", text: TEXT });
  assert.equal(made.body.textContent, "");
  made.handle({ type: "answer.done" });
  assert.equal(made.body.querySelectorAll("dt").length, 5);
  assert.equal(view({ sentences: [] }, "Nothing is said of that.").body.textContent.trim(), "Nothing is said of that.");
  assert.equal(objectOf("[1]"), null);
});

test("an answer from training says so at once, and shows no sources and no verdicts", () => {
  const told = { answer_mode: "fine_tuned", label: "From the model’s training." };
  const made = new AnswerView({ question: "?" });
  made.handle({ type: "run.started", run: "r", structured: false, ...told });
  made.handle({ type: "retrieval.done", query: "", passages: [] });
  assert.equal(made.progress.textContent, "Writing the answer…");
  assert.equal(made.mode.textContent, "From the model’s training.");
  const done = view({ ...told, structured: false, citations: [] }, "It is so. Then.");
  assert.equal(done.mode.hidden, false);
  assert.equal(done.body.querySelector(".badge"), null);
  assert.equal(done.bar.querySelector(".bar-checks"), null);
  assert.match(done.summary(), /nothing of it was checked/);
});
