import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

const frontend = new URL("../../../chatapp/frontend/", import.meta.url);
const { JSDOM } = createRequire(new URL("package.json", frontend))("jsdom");
const { window } = new JSDOM("", { url: "http://localhost/documents/d/v/1/" });
for (const name of ["document", "Element", "Node", "HTMLElement", "HTMLAnchorElement", "MouseEvent", "history", "localStorage"])
  globalThis[name] = window[name];
globalThis.window = window;
const visited = [];
globalThis.location = { assign: (address) => visited.push(address) };
const { fitScale, nextScale, pageAt, percentOf, pixelRatio, placeOn, pointPx } = await import(
  new URL("src/reader/geometry.js", frontend)
);
const { Stops } = await import(new URL("src/reader/stops.js", frontend));
const { Keys } = await import(new URL("src/reader/keys.js", frontend));

/** A viewport as pdf.js makes them: crop origin, page size in user space, rotation, scale. */
function viewport([x, y, width, height], rotation, scale = 1) {
  const turned = rotation % 180 !== 0;
  const points = {
    0: (a, b) => [a - x, y + height - b],
    90: (a, b) => [b - y, a - x],
    180: (a, b) => [x + width - a, b - y],
    270: (a, b) => [y + height - b, x + width - a],
  };
  return {
    width: (turned ? height : width) * scale,
    height: (turned ? width : height) * scale,
    convertToViewportPoint: (a, b) => points[rotation](a, b).map((value) => value * scale),
  };
}

test("a rectangle keeps its place on a cropped, turned and enlarged page", () => {
  const crop = [40, 100, 400, 600];
  const rect = [3, 60, 640, 140, 652]; // 20 from the left and 48 below the top of the cropped page
  const plain = { left: "5.000%", top: "8.000%", width: "20.000%", height: "2.000%" };
  assert.deepEqual(placeOn(viewport(crop, 0), rect), plain);
  assert.deepEqual(placeOn(viewport(crop, 0, 2.5), rect), plain);
  const turned = placeOn(viewport(crop, 90), rect);
  assert.deepEqual(turned, { left: "90.000%", top: "5.000%", width: "2.000%", height: "20.000%" });
  const upsideDown = placeOn(viewport(crop, 180), rect);
  assert.deepEqual(upsideDown, { left: "75.000%", top: "90.000%", width: "20.000%", height: "2.000%" });
});

test("pages fill the width, but never more than half over their paper size, whatever one wide page wants", () => {
  const a4 = Array.from({ length: 5 }, () => [595, 842]);
  assert.equal(fitScale(595, a4), 1);
  assert.equal(fitScale(595, [...a4, [1191, 842]]), 1);
  assert.equal(percentOf(fitScale(5_000, a4)), 150);
  assert.ok(fitScale(340, []) > 0);
});

test("zooming goes through the steps and ends at the last", () => {
  assert.equal(percentOf(nextScale(0.97 * pointPx, 1)), 100);
  assert.equal(percentOf(nextScale(pointPx, 1)), 125);
  assert.equal(percentOf(nextScale(pointPx, -1)), 80);
  assert.equal(nextScale(4 * pointPx, 1), 4 * pointPx);
  assert.equal(nextScale(0.4 * pointPx, -1), 0.4 * pointPx);
});

test("the picture of a page never takes more than eight million pixels", () => {
  assert.equal(pixelRatio(600, 800, 1), 1);
  assert.equal(pixelRatio(600, 800, 3), 2);
  const ratio = pixelRatio(4_000, 6_000, 2);
  assert.ok(4_000 * 6_000 * ratio ** 2 <= 8_000_001);
});

test("the page at a line is found among thousands in few looks", () => {
  let looks = 0;
  const top = (at) => {
    looks += 1;
    return at * 100 - 250_000;
  };
  assert.equal(pageAt(50, 5_000, top), 2_501);
  assert.ok(looks < 15);
  assert.equal(pageAt(-999_999, 5_000, top), 1);
  assert.equal(pageAt(999_999, 5_000, top), 5_000);
});

const here = (n, exact = true) => ({
  here: true, link: `/documents/d/v/1/?start=${n}&end=${n + 1}#match`, text_link: `/documents/d/v/1/?view=text&start=${n}`,
  title: "Lease", number: 1, page: n, rects: exact ? [[n, 0, 0, 1, 1]] : [], exact, quote: `words ${n}`,
});
const elsewhere = { here: false, link: "/documents/e/v/1/#match", title: "Rules", number: 2, page: null, exact: false };

function stopsOf(stops, index = 0, count = stops.length) {
  visited.length = 0;
  document.body.innerHTML = `
    <a data-stop="before"></a><span data-stop-now>Citation 1 of ${count}</span><a data-stop="after"></a>
    <p data-place-unknown hidden></p><a data-view-link="text"></a><a data-view-link="pages"></a>
    <button data-copy-quote="words"></button><button data-keys hidden></button>
    <input id="find"><dialog id="keys"></dialog><input type="checkbox" data-keys-on>`;
  return new Stops({ view: "pages", stops, count, index, page: 1, sizes: [], file: "" });
}

test("a stop in the same PDF is shown in place, with its address and its ways on", () => {
  const stops = stopsOf([here(1), here(2, false), elsewhere]);
  const shown = [];
  stops.inPlace = (index) => shown.push(index);
  stops.step(1);
  assert.deepEqual([shown, visited], [[1], []]);
  assert.equal(document.querySelector("[data-stop-now]").textContent, "Citation 2 of 3");
  assert.equal(window.location.search, "?start=2&end=3");
  assert.equal(document.querySelector("[data-place-unknown]").hidden, false);
  assert.equal(document.querySelector("[data-view-link='text']").getAttribute("href"), "/documents/d/v/1/?view=text&start=2");
  assert.equal(document.querySelector("[data-copy-quote]").dataset.copyQuote, "words 2");
  assert.equal(document.querySelector("[data-stop='after']").getAttribute("title"), "In Rules");
  stops.step(1);
  assert.deepEqual(visited, ["/documents/e/v/1/#match"]);
});

test("steps end at the first and the last stop", () => {
  const stops = stopsOf([here(1), here(2)]);
  stops.inPlace = () => {};
  stops.step(-1);
  assert.equal(stops.index, 0);
  stops.step(1);
  stops.step(1);
  assert.equal(stops.index, 1);
  assert.equal(document.querySelector("[data-stop='after']").getAttribute("aria-disabled"), "true");
  assert.equal(document.querySelector("[data-stop='after']").hasAttribute("href"), false);
});

test("from a range that is no stop the next one is the first", () => {
  const stops = stopsOf([here(1), here(2), here(9)], 2, 2);
  stops.inPlace = () => {};
  stops.step(1);
  assert.equal(stops.index, 0);
});

test("where the text is shown a step opens the address of the stop", () => {
  const stops = stopsOf([here(1), here(2)]);
  stops.step(1);
  assert.deepEqual(visited, [here(2).link]);
});

function press(key, options = {}) {
  const event = new window.KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...options });
  (options.on ?? document.body).dispatchEvent(event);
  return event.defaultPrevented;
}

test("keys step, jump and zoom; not while one writes, with a modifier, or when they are switched off", () => {
  const stops = stopsOf([here(1), here(2), here(3)]);
  stops.inPlace = () => {};
  const done = [];
  const keys = new Keys(stops, {
    step: (by) => done.push(by), zoom: (how) => done.push(how), goTo: () => {}, showStop: () => {},
  });
  assert.equal(document.querySelector("[data-keys]").hidden, false);
  assert.ok(press("n") && press("n") && press("p"));
  assert.equal(stops.index, 1);
  for (const key of ["PageDown", "PageUp", "+", "-", "0"]) assert.ok(press(key));
  assert.deepEqual(done, [1, -1, "in", "out", "fit"]);
  assert.ok(press("/"));
  assert.equal(document.activeElement.id, "find");
  assert.equal(press("n", { on: document.getElementById("find") }), false);
  assert.equal(press("n", { ctrlKey: true }), false);
  assert.equal(press("x"), false);
  assert.equal(stops.index, 1);
  const box = document.querySelector("[data-keys-on]");
  assert.ok(box.checked);
  box.checked = false;
  box.dispatchEvent(new window.Event("change"));
  assert.equal(press("n"), false);
  assert.ok(press("PageDown"));
  assert.equal(localStorage.getItem("reader-keys-off"), "1");
  localStorage.clear();
  keys.off = true;
});
