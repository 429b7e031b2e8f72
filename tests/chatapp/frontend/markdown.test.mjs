import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

const frontend = new URL("../../../chatapp/frontend/", import.meta.url);
const { JSDOM } = createRequire(new URL("package.json", frontend))("jsdom");
const { window } = new JSDOM("", { url: "http://localhost/" });
globalThis.window = window;
globalThis.document = window.document;
const { renderMarkdown, StreamingMarkdown, readableText } = await import(new URL("src/lib/markdown.js", frontend));

const cite = (number) => `\ue000${number}\ue001`;

function html(source) {
  const box = document.createElement("div");
  box.append(renderMarkdown(source));
  return box;
}

/** Feed the text in the given pieces, with a frame after each. */
function streamed(pieces) {
  const target = document.createElement("div");
  const frames = [];
  const stream = new StreamingMarkdown(target, { schedule: (work) => frames.push(work) });
  for (const piece of pieces) {
    stream.push(piece);
    for (const work of frames.splice(0)) work();
    assert.doesNotMatch(target.textContent, /[\ue000\ue001]/, "half a sentinel was shown");
  }
  stream.finish();
  return target;
}

const SAMPLE = `The rent is **1,200**${cite(1)} a month${cite(12)}.

1. First ${cite(2)}
2. Second

| a | b |
|---|---|
| 1 | 2 ${cite(3)} |

\`\`\`js
const x = a[0];
\`\`\`

Last line with \`code\` and a [link](https://example.org/a?b=1).`;

test("a citation becomes a named button", () => {
  const chip = html(`Rent${cite(2)}.`).querySelector("button.chip");
  assert.equal(chip.textContent, "2");
  assert.equal(chip.getAttribute("data-cite"), "2");
  assert.equal(chip.getAttribute("aria-label"), "Source 2");
  assert.equal(chip.getAttribute("type"), "button");
});

test("streaming at every split gives what rendering at once gives", () => {
  const whole = html(SAMPLE).innerHTML.replace(/\n+/g, "");
  for (let cut = 1; cut < SAMPLE.length; cut += 1) {
    const target = streamed([SAMPLE.slice(0, cut), SAMPLE.slice(cut)]);
    assert.equal(target.innerHTML.replace(/\n+/g, ""), whole, `split at ${cut}`);
  }
});

test("streaming character by character gives what rendering at once gives", () => {
  const whole = html(SAMPLE).innerHTML.replace(/\n+/g, "");
  assert.equal(streamed(Array.from(SAMPLE)).innerHTML.replace(/\n+/g, ""), whole);
});

test("a finished block is never touched again", () => {
  const target = document.createElement("div");
  const stream = new StreamingMarkdown(target, { schedule: (work) => work() });
  stream.push("First block.\n\nSecond");
  const first = target.querySelector("p");
  stream.push(" goes on.\n\nThird");
  stream.finish();
  assert.equal(target.querySelector("p"), first);
  assert.equal(target.querySelectorAll("p").length, 3);
});

test("a burst of deltas is rendered once a frame", () => {
  const frames = [];
  const target = document.createElement("div");
  const stream = new StreamingMarkdown(target, { schedule: (work) => frames.push(work) });
  for (let count = 0; count < 100; count += 1) stream.push("word ");
  assert.equal(frames.length, 1);
});

test("a definition after its use still makes a link", () => {
  const target = streamed(["See [the act][1].\n\n", "More.\n\n", "[1]: https://example.org/act\n"]);
  assert.equal(target.querySelector("a").getAttribute("href"), "https://example.org/act");
});

test("code never holds a chip and shows no sentinel", () => {
  for (const source of [`\`a${cite(1)}b\``, `\`\`\`\na${cite(1)}b\n\`\`\``, `    a${cite(1)}b`]) {
    const box = html(source);
    assert.equal(box.querySelector(".chip"), null);
    assert.equal(box.querySelector("code").textContent.trim(), "ab");
  }
});

test("raw html is shown as text", () => {
  const box = html('Hi <b onclick="x()">bold</b>\n\n<script>alert(1)</script>\n\n<div style="color:red">x</div>');
  assert.equal(box.querySelector("b, script, div"), null);
  assert.match(box.textContent, /<script>alert\(1\)<\/script>/);
});

test("images are never loaded", () => {
  const box = html("![secret](https://evil.test/?q=1) <img src=x onerror=alert(1)>");
  assert.equal(box.querySelector("img, picture, svg"), null);
  assert.match(box.textContent, /secret/);
});

test("only http, https and mailto become links", () => {
  const bad = ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "/local", "&#106;avascript:x"];
  for (const href of bad) assert.equal(html(`[x](${href})`).querySelector("a"), null, href);
  for (const href of ["https://a.test/", "http://a.test/", "mailto:a@a.test"]) {
    const link = html(`[x](${href})`).querySelector("a");
    assert.equal(link.getAttribute("href"), href);
    assert.equal(link.getAttribute("rel"), "noopener noreferrer nofollow");
    assert.equal(link.getAttribute("target"), "_blank");
  }
});

test("a link that looks like a citation is none", () => {
  for (const text of ["1", "[2]", "S3", "**4**", "12"]) {
    const box = html(`Claim [${text}](https://a.test/).`);
    assert.equal(box.querySelector("a"), null, text);
  }
  for (const text of ["page 4", "RFC 9457", "a"]) {
    assert.notEqual(html(`[${text}](https://a.test/)`).querySelector("a"), null, text);
  }
});

test("a link address cannot break out of its attribute", () => {
  const link = html('[x](https://a.test/"onmouseover="alert(1))').querySelector("a");
  assert.equal(link?.getAttribute("onmouseover") ?? null, null);
});

test("a forged button in the text is no button", () => {
  assert.equal(html('<button class="chip" data-cite="1">1</button>').querySelector("button"), null);
});

test("a lone or malformed sentinel makes no chip", () => {
  for (const source of ["a\ue000b", "a\ue001b", "a\ue000\ue001b", "a\ue00012345\ue001b"]) {
    assert.equal(html(source).querySelector(".chip"), null);
  }
});

test("copied text has readable markers", () => {
  assert.equal(readableText(`a${cite(1)} b${cite(12)}\ue000`), "a[1] b[12]");
});

test("only the open end is rendered anew, however long the answer is", () => {
  const stream = new StreamingMarkdown(document.createElement("div"), { schedule: (work) => work() });
  const block = (index) => `Paragraph ${index} with some words${cite(1)}.\n\n`;
  for (let index = 0; index < 400; index += 1) {
    stream.push(block(index));
    assert.ok(stream.text.length - stream.settled <= 2 * block(index).length, `block ${index}`);
  }
});
