import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

const frontend = new URL("../../../chatapp/frontend/", import.meta.url);
const { JSDOM } = createRequire(new URL("package.json", frontend))("jsdom");
const { window } = new JSDOM("", { url: "http://localhost/documents/d/v/1/reading" });
for (const name of ["document", "Element", "Node", "HTMLElement"]) globalThis[name] = window[name];
globalThis.window = window;
globalThis.getComputedStyle = window.getComputedStyle;
globalThis.ResizeObserver = class {
  observe() {}
};
window.scrollTo = () => {};
window.Element.prototype.scrollIntoView = function () {
  scrolled.push(this.id);
};
const scrolled = [];
const { Outlines } = await import(new URL("src/reading/outlines.js", frontend));
const { PictureView } = await import(new URL("src/reader/picture-view.js", frontend));
const { pictureViewport, placeOn } = await import(new URL("src/reader/geometry.js", frontend));

const size = [200, 100];
const place = (rect) => placeOn(pictureViewport(size), rect);
const OUTLINES = [
  { block: 7, kind: "heading", sign: "1 H1", label: "1, Heading 1: Rent", rects: [[1, 20, 80, 60, 90]] },
  { block: 8, kind: "paragraph", sign: "2 P", label: "2, Paragraph: <b>", rects: [[1, 20, 10, 60, 70], [1, 120, 50, 180, 90]] },
];

function laid() {
  scrolled.length = 0;
  document.body.innerHTML = '<div id="page"></div><ol><li id="block-7"></li><li id="block-8"></li><li id="block-9"></li></ol>';
  const page = document.getElementById("page");
  new Outlines(OUTLINES).layOver(page, place);
  return { page, items: [7, 8, 9].map((block) => document.getElementById(`block-${block}`)) };
}

const send = (target, event) => target.dispatchEvent(event);
const over = (target, type) => send(target, new window.Event(type));

test("outlines lie where their rectangles are, each with its sign and its words", () => {
  const { page } = laid();
  const parts = [...page.querySelectorAll(".block-outline")];
  assert.deepEqual(
    parts.map((part) => [part.tagName, part.style.left, part.style.top, part.style.width, part.style.height]),
    [
      ["BUTTON", "10%", "10%", "20%", "10%"],
      ["BUTTON", "10%", "30%", "20%", "60%"],
      ["DIV", "60%", "10%", "30%", "40%"],
    ],
  );
  assert.deepEqual([...page.querySelectorAll(".sign")].map((sign) => sign.textContent), ["1 H1", "2 P"]);
  assert.equal(parts[1].getAttribute("aria-label"), "2, Paragraph: <b>");
  assert.ok(parts[2].classList.contains("kind-paragraph"));
});

test("a block and all parts of its outline light each other, whichever is pointed at", () => {
  const { page, items } = laid();
  const [, second, third] = page.querySelectorAll(".block-outline");
  for (const one of [items[1], second, third]) {
    over(one, "pointerenter");
    assert.deepEqual([...document.querySelectorAll(".lit")], [second, third, items[1]]);
    over(one, "pointerleave");
    assert.equal(document.querySelector(".lit"), null);
  }
});

test("the keyboard leads from a block to its outline and back", () => {
  const { page, items } = laid();
  const [first] = page.querySelectorAll(".block-outline");
  assert.deepEqual(items.map((item) => item.tabIndex), [0, 0, -1]); // the last one has no outline
  items[0].focus();
  assert.ok(first.classList.contains("lit"));
  send(items[0], new window.KeyboardEvent("keydown", { key: "Enter", cancelable: true }));
  assert.equal(document.activeElement, first);
  assert.ok(items[0].classList.contains("lit"));
  first.click();
  assert.equal(document.activeElement, items[0]);
  assert.deepEqual(scrolled, ["block-7", "block-7"]);
  items[0].blur();
  assert.equal(document.querySelector(".lit"), null);
});

test("outlines that are laid again replace those before", () => {
  const { page } = laid();
  new Outlines(OUTLINES).layOver(page, place);
  assert.equal(page.querySelectorAll(".block-outlines").length, 1);
});

function picture(index) {
  document.body.innerHTML = '<div id="host"><div class="picture-page"><img></div></div>';
  const host = document.getElementById("host");
  Object.defineProperty(host, "clientWidth", { value: 102 });
  const stop = (rect, quote) => ({ here: true, link: "#", title: "", number: 1, page: 1, rects: [rect], exact: true, quote });
  const stops = [stop([1, 20, 80, 60, 90], "Rent"), stop([1, 20, 10, 60, 70], "Heating"), stop([2, 0, 0, 9, 9], "Overleaf")];
  const zooms = [];
  const view = new PictureView(host.querySelector("img"), {
    host, data: { view: "pages", stops, count: 3, index, page: 1, sizes: [size], file: "" }, onZoom: (now) => zooms.push(now),
  });
  return { view, host, zooms };
}

test("the words of a picture are lit on it, one stop strongly", () => {
  const { view, host } = picture(0);
  const marks = [...host.querySelectorAll(".pdf-mark")];
  assert.equal(marks.length, 2); // what stands on another page is not here
  assert.deepEqual([marks[0].style.left, marks[0].style.top], ["10%", "10%"]);
  const lit = () => marks.map((mark) => mark.classList.contains("current"));
  assert.deepEqual(lit(), [true, false]);
  assert.equal(document.activeElement.getAttribute("aria-label"), "Marked words: Rent");
  view.showStop(1);
  assert.deepEqual(lit(), [false, true]);
  assert.equal(marks[0].hasAttribute("aria-label"), false);
  view.showStop(2);
  assert.deepEqual(lit(), [false, false]);
});

test("a picture fits the width, grows and shrinks by steps, and fits again", () => {
  const { view, host, zooms } = picture(null);
  const width = () => host.querySelector("img").style.inlineSize;
  assert.deepEqual([zooms, width()], [[50], "100px"]);
  view.zoom("in");
  view.zoom("in");
  view.zoom("out");
  view.zoom("fit");
  assert.deepEqual(zooms, [50, 67, 80, 67, 50]);
});
