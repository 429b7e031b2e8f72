import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

const frontend = new URL("../../../chatapp/frontend/", import.meta.url);
const { JSDOM } = createRequire(new URL("package.json", frontend))("jsdom");
const { window } = new JSDOM("", { url: "http://localhost/" });
for (const name of ["document", "Element", "Node"]) globalThis[name] = window[name];
globalThis.window = window;
const { excerptNodes } = await import(new URL("src/chat/excerpt.js", frontend));

/** Draw an excerpt whose cited words stand between « and ». */
function drawn(source, above) {
  const [before, rest] = source.includes("\u00ab") ? source.split("\u00ab") : [source, "\u00bb"];
  const [match, after] = rest.split("\u00bb");
  const box = document.createElement("blockquote");
  box.append(...excerptNodes({ before, match, after, above: above ?? before }));
  return box;
}

const rows = (box) =>
  [...box.querySelectorAll(".source-row")].map((row) => {
    const cells = [...row.querySelectorAll(".source-cell")].map((cell) => cell.textContent);
    return cells.length ? cells : row.textContent;
  });
const marks = (box) => [...box.querySelectorAll("mark")].map((mark) => mark.textContent);

const TABLE = "| Item | Amount |\n|---|---:|\n";

test("prose stays as it is, with the cited words marked", () => {
  const box = drawn("The rent is \u00ab1,200\u00bb euros: due monthly; see below.");
  assert.equal(box.innerHTML, "The rent is <mark>1,200</mark> euros: due monthly; see below.");
});

test("markup in a source is text", () => {
  const box = drawn("| <img src=x> | \u00ab<b>b</b>\u00bb |\n<script>1</script>");
  assert.equal(box.querySelector("img, b, script"), null);
  assert.deepEqual(marks(box), ["<b>b</b>"]);
  assert.match(box.textContent, /<script>1<\/script>/);
});

test("rows of a Markdown table name their columns", () => {
  const box = drawn(`Prices:\n${TABLE}| Rent | \u00ab1,200\u00bb |\n| Heating | 90 |`);
  assert.deepEqual(rows(box), [
    ["Item: Rent", "Amount: 1,200"],
    ["Item: Heating", "Amount: 90"],
  ]);
  assert.deepEqual(marks(box), ["1,200"]);
  assert.equal(box.firstChild.textContent, "Prices:\n");
  assert.doesNotMatch(box.textContent, /[|]|---/);
});

test("the head of the table may stand above the excerpt, in the passage", () => {
  const box = drawn("| Rent | \u00ab1,200\u00bb |", `${TABLE}| Heating | 90 |\n| Rent | `);
  assert.deepEqual(rows(box), [["Item: Rent", "Amount: 1,200"]]);
});

test("a head in an earlier paragraph names nothing", () => {
  const box = drawn("| Rent | \u00ab1,200\u00bb |", `${TABLE}| Heating | 90 |\n\n| Rent | `);
  assert.deepEqual(rows(box), ["Rent \u00b7 1,200"]);
});

test("a row that was cut at its beginning ends with the last column", () => {
  const box = drawn("\u2026 flat | \u00ab1,200\u00bb |", `| No. | Item | Amount |\n|---|---|---|\n| 1 | the flat | `);
  assert.deepEqual(rows(box), [["Item: \u2026 flat", "Amount: 1,200"]]);
});

test("a row that was cut at its end begins with the first column", () => {
  assert.deepEqual(rows(drawn(`${TABLE}| \u00abRent\u00bb | 1, \u2026`)), [["Item: Rent", "Amount: 1, \u2026"]]);
});

test("a row without known columns shows its cells", () => {
  const box = drawn("| Rent | | \u00ab1,200 | due\u00bb |");
  assert.deepEqual(rows(box), ["Rent \u00b7 1,200 \u00b7 due"]);
  assert.deepEqual(marks(box), ["1,200", "due"]);
});

test("a row with more cells than columns is not given wrong names", () => {
  assert.deepEqual(rows(drawn(`${TABLE}| a | \u00abb\u00bb | c |`)), ["a \u00b7 b \u00b7 c"]);
});

test("cited words in the head of a table are shown there", () => {
  const box = drawn("| \u00abItem\u00bb | Amount |\n|---|---|\n| Rent | 1,200 |");
  assert.deepEqual(rows(box), ["Item \u00b7 Amount", ["Item: Rent", "Amount: 1,200"]]);
  assert.deepEqual(marks(box), ["Item"]);
});

test("cited words that would not be shown are shown with everything", () => {
  const source = "| Item | Amount |\n\u00ab|---|\u00bb---|\n| Rent | 1,200 |";
  const box = drawn(source);
  assert.deepEqual(marks(box), ["|---|"]);
  assert.equal(box.textContent, source.replace(/[\u00ab\u00bb]/g, ""));
});

test("a row written as names and values is one line each", () => {
  const box = drawn("Office: Harbour \u00abmaster; Extension: 4417\u00bb; Note: a; b");
  assert.deepEqual(rows(box), [["Office: Harbour master", "Extension: 4417", "Note: a; b"]]);
  assert.deepEqual(marks(box), ["master", "Extension: ", "4417"]);
  assert.deepEqual(
    [...box.querySelectorAll(".source-column")].map((name) => name.textContent),
    ["Office: ", "Extension: ", "Note: "],
  );
});

test("such a row that was cut at its beginning keeps the rest of its first value", () => {
  assert.deepEqual(rows(drawn("\u2026 master; Extension: \u00ab4417\u00bb")), [["\u2026 master", "Extension: 4417"]]);
});

test("several rows below each other stay apart", () => {
  const box = drawn("A: 1; B: 2\nA: \u00ab3\u00bb; B: 4\nWords after.");
  assert.deepEqual(rows(box), [["A: 1", "B: 2"], ["A: 3", "B: 4"]]);
  assert.equal(box.lastChild.textContent, "Words after.");
});

for (const line of ["a | b", "|x|", "Time: 10:30; late", "see https://x.test; then go", "- one; two", "||", "|"]) {
  test(`no row: ${line}`, () => {
    const box = drawn(line);
    assert.equal(box.querySelector(".source-row"), null);
    assert.equal(box.textContent, line);
  });
}

test("an escaped bar stays in its cell", () => {
  assert.deepEqual(rows(drawn(`${TABLE}| a \\| b | \u00ab1\u00bb |`)), [["Item: a \\| b", "Amount: 1"]]);
});

test("characters outside the basic plane are marked whole", () => {
  const box = drawn(`${TABLE}| \u{1f600} \u00ab\u{1f600}\u00bb | 1 |`);
  assert.deepEqual(marks(box), ["\u{1f600}"]);
});

test("every character that is marked was cited, and all that is cited and no sign of a table is marked", () => {
  const text = `Before it.\n${TABLE}| Rent | 1,200 |\nA: x y; B: z\nAfter.`;
  for (let start = 0; start < text.length; start += 1) {
    for (let end = start + 1; end <= text.length; end += 3) {
      const before = text.slice(0, start);
      const parts = { before, match: text.slice(start, end), after: text.slice(end), above: before };
      const box = document.createElement("div");
      box.append(...excerptNodes(parts));
      const letters = (words) => words.replace(/[^\p{L}\p{N}]/gu, "");
      assert.equal(letters(marks(box).join("")), letters(parts.match), JSON.stringify(parts));
    }
  }
});
