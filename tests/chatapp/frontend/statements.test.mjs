import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

const frontend = new URL("../../../chatapp/frontend/", import.meta.url);
const { JSDOM } = createRequire(new URL("package.json", frontend))("jsdom");
const { window } = new JSDOM("", { url: "http://localhost/" });
const names = ["document", "Element", "HTMLElement", "Node", "NodeFilter", "Text", "CustomEvent"];
for (const name of names) globalThis[name] = window[name];
globalThis.window = window;
const { renderMarkdown } = await import(new URL("src/lib/markdown.js", frontend));
const { Statements } = await import(new URL("src/chat/statements.js", frontend));
const { moveByKey } = await import(new URL("src/chat/moving.js", frontend));

const cite = (number) => `\ue000${number}\ue001`;

/** An answer whose pieces are its sentences: `[text, verdict, reasons]`. */
function answer(...pieces) {
  let text = "";
  const sentences = pieces.map(([words, verdict = "supported", reasons = []], index) => {
    const start = Array.from(text).length;
    text += words;
    return { index, start, end: Array.from(text).length, verdict, reasons, citations: [], score: 1 };
  });
  const body = document.createElement("div");
  body.append(renderMarkdown(text));
  document.body.replaceChildren(body);
  const statements = new Statements(body);
  statements.show(text, sentences);
  return { body, text, sentences, statements, words: statements.placed.map(({ range }) => range?.toString() ?? null) };
}

test("statements are found in what their Markdown became", () => {
  const { words } = answer(
    ["# Fees\n\n", "exempt"],
    [`The **late fee** is \u{1d7d0}0 & more${cite(1)}. `],
    [`See [the rules](https://example.org/a1) of _gate_ 4${cite(2)}.\n\n`],
    ["- One\n"], ["- One\n\n"],
    ["| A | B |\n|---|---|\n| x1 | y |\n"],
  );
  assert.equal(words[1], "The late fee is \u{1d7d0}0 & more");
  assert.equal(words[2], "See the rules of gate 4");
  assert.deepEqual(words.slice(3, 5), ["One", "One"]);
});

test("the signs that open and close a statement are lit with it", () => {
  const { words } = answer([`[A court may say so.]${cite(1)} `], [`\u201c(No), it says.\u201d${cite(1)} `], ["In f(x) it ends."]);
  assert.deepEqual(words, ["[A court may say so.]", "\u201c(No), it says.\u201d", "In f(x) it ends."]);
});

test("the same words twice are two places", () => {
  const { statements } = answer([`It is so${cite(1)}. `], [`It is so${cite(2)}.`]);
  const [one, two] = statements.placed.map(({ range }) => range.startOffset + (range.startContainer === two0() ? 100 : 0));
  function two0() {
    return statements.placed[1].range.startContainer;
  }
  assert.notEqual(one, two);
  assert.deepEqual(statements.placed.map(({ chips }) => chips[0].getAttribute("data-cite")), ["1", "2"]);
});

test("a badge stands behind the full stop and names its reason; what is found has none", () => {
  const { body } = answer(
    [`Open until 18${cite(1)}. `],
    [`It costs 14.2 euro${cite(2)}. `, "unsupported", ["number 14.2 not in the source"]],
    ["Nobody said this.", "uncited", ["no source given"]],
  );
  const badges = [...body.querySelectorAll(".badge")];
  assert.deepEqual(badges.map((badge) => badge.textContent), ["not in the source", "no source"]);
  assert.equal(badges[0].getAttribute("aria-label"), "Not found in the source: number 14.2 not in the source");
  assert.equal(badges[1].getAttribute("aria-label"), "No source given");
  assert.equal(badges[0].previousSibling.textContent, ".");
  assert.match(body.textContent, /^Open until 181\. It costs 14\.2 euro2\.not in the source Nobody said this\.no source\n?$/);
});

test("a chip says its verdict in a sign and in its name, however often it is told", () => {
  const { body, statements, text, sentences } = answer([`Paid${cite(1)} in part.`, "weak"]);
  const chip = body.querySelector(".chip");
  statements.show(text, sentences);
  assert.equal(chip.getAttribute("aria-label"), "Source 1, only partly found in the source");
  assert.equal(chip.querySelectorAll("svg").length, 1);
  assert.equal(body.querySelectorAll(".badge").length, 1);
  statements.show(text, [{ ...sentences[0], verdict: "supported" }]);
  assert.equal(chip.className, "chip supported");
  assert.equal(body.querySelectorAll(".badge").length, 0);
});

test("words that are not on the page get no badge, and code no chip", () => {
  const { body, statements } = answer(
    [`\`x${cite(1)}\` and more${cite(2)}. `, "unsupported"],
  );
  assert.deepEqual(statements.placed[0].chips, []);
  const other = answer(["Shown."]);
  other.statements.show("Something else.", [{ ...other.sentences[0], end: 15, verdict: "uncited" }]);
  assert.equal(other.body.querySelector(".badge"), null);
  assert.equal(other.statements.placed[0].range, null);
  assert.equal(body.querySelectorAll(".badge").length, 1);
});

test("a badge stands behind the statement, however early its last source is named", () => {
  const { body } = answer([`Paid${cite(1)} in part${cite(2)} and late. `, "weak"], ["Open.", "supported"]);
  assert.match(body.textContent, /and late\.partly found Open\./);
});

test("after a statement that is not on the page, the next is taken only as whole words that stand once", () => {
  const { body, text, sentences, statements } = answer(["This is also so. "], ["So it is. "], ["So it is. "], ["It ends."]);
  const told = (words) => {
    statements.show(
      words.join(""),
      words.map((each, index) => {
        const start = words.slice(0, index).join("").length;
        return { ...sentences[0], index, start, end: start + each.length, verdict: "uncited" };
      }),
    );
    return statements.placed.map(({ range }) => range?.toString() ?? null);
  };
  assert.deepEqual(told(["Not here. ", "so. "]), [null, "so."], "not the letters inside \u201calso\u201d");
  assert.deepEqual(told(["Not here. ", "So it is. ", "It ends."]), [null, null, "It ends."], "two places are none");
  assert.equal(body.querySelectorAll(".badge").length, 1);
  statements.show(text, sentences);
  assert.equal(statements.placed.filter(({ range }) => range).length, 4);
});

test("statements that were left out side by side share a place, and what was left out has no badge", () => {
  const { body, text, sentences, statements } = answer(["[removed] ", "unsupported"], ["Open. ", "weak"], ["[removed]", "uncited"]);
  const out = sentences.map((sentence) => ({ ...sentence, left_out: sentence.index !== 1 }));
  statements.show(text, [out[0], { ...out[0], index: 1 }, { ...out[1], index: 2 }, { ...out[2], index: 3 }]);
  const found = statements.placed.map(({ range }) => range?.toString() ?? null);
  assert.deepEqual(found, ["[removed]", null, "Open.", "[removed]"]);
  assert.match(body.textContent, /^\[removed\] Open\.partly found \[removed\]\n?$/);
});

test("a badge never stands inside a link", () => {
  const { body } = answer(["It is [all in here](https://example.org/).", "uncited"]);
  assert.equal(body.querySelector("a .badge"), null);
  assert.equal(body.querySelectorAll(".badge").length, 1);
});

test("lighting a statement lights its chips and no others", () => {
  const { body, statements } = answer([`One${cite(1)}. `], [`Two${cite(1)}${cite(2)}.`]);
  statements.light((sentence) => sentence.index === 1);
  assert.deepEqual([...body.querySelectorAll(".chip")].map((chip) => chip.classList.contains("lit")), [false, true, true]);
  statements.light(() => false);
  assert.equal(body.querySelector(".lit"), null);
});

test("an unknown verdict is told by its own name", () => {
  const { body } = answer([`Paid${cite(1)}.`, "doubtful"]);
  assert.equal(body.querySelector(".chip").getAttribute("aria-label"), "Source 1, doubtful");
});

test("brackets lead through chips and badges, and stay letters in a text box", () => {
  const log = document.createElement("div");
  log.innerHTML =
    '<article class="answer"><button class="chip">1</button></article>' +
    '<article class="answer"><button class="chip">2</button><button class="badge">no</button></article><textarea></textarea>';
  document.body.replaceChildren(log);
  for (const button of log.querySelectorAll("button")) button.scrollIntoView = () => {};
  const press = (key, target = document.activeElement, more = {}) =>
    moveByKey(log, { key, target, metaKey: false, ctrlKey: false, altKey: false, ...more });
  assert.equal(press("]", document.body), true);
  assert.equal(document.activeElement.textContent, "2", "the last answer was just read");
  press("]");
  assert.equal(document.activeElement.className, "badge");
  press("[");
  press("[");
  assert.equal(document.activeElement.textContent, "1");
  press("[");
  assert.equal(document.activeElement.textContent, "1", "there is nothing before the first");
  assert.equal(press("]", log.querySelector("textarea")), false);
  assert.equal(press("]", document.body, { metaKey: true }), false);
  assert.equal(press("]", document.body, { ctrlKey: true }), false);
  assert.equal(press("]", document.body, { ctrlKey: true, altKey: true }), true, "AltGr");
  assert.equal(press("x", document.body), false);
});
