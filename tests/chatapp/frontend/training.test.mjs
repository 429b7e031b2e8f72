import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

const frontend = new URL("../../../chatapp/frontend/", import.meta.url);
const { JSDOM } = createRequire(new URL("package.json", frontend))("jsdom");
const { window } = new JSDOM("<fn-curve data-run='7'></fn-curve>", { url: "http://localhost/models/training/7/" });
for (const name of ["document", "HTMLElement", "HTMLButtonElement", "DOMParser", "customElements", "location"]) {
  globalThis[name] = window[name];
}
const points = [
  { step: 1, loss: 4, eval_loss: null },
  { step: 5, loss: 2, eval_loss: 3 },
  { step: 10, loss: 1, eval_loss: null },
];
const asked = [];
globalThis.fetch = async (address) => {
  asked.push(address);
  return { ok: true, text: async () => JSON.stringify({ state: "done", max_steps: 10, points }) };
};
const { scaleOf, valuesOf } = await import(new URL("src/training.js", frontend));

test("only what was measured is drawn", () => {
  assert.deepEqual(valuesOf(points, "eval_loss"), [{ step: 5, value: 3 }]);
  assert.equal(valuesOf(points, "loss").length, 3);
});

test("the lowest value lies at the bottom and the last step at the right, also when all are the same", () => {
  const { x, y, low, high } = scaleOf(valuesOf(points, "loss"), 10, 400);
  assert.deepEqual([low, high], [1, 4]);
  assert.equal(x(10), 392);
  assert.ok(y(1) > y(2) && y(2) > y(4));
  const flat = scaleOf([{ step: 1, value: 2 }], 0);
  assert.ok(Number.isFinite(flat.x(1)) && Number.isFinite(flat.y(2)));
});

test("a curve says in words what it shows, and is asked for once when the run is over", async () => {
  await new Promise((resolve) => setTimeout(resolve, 20));
  const svg = document.querySelector("fn-curve svg");
  assert.equal(svg.getAttribute("aria-label"), "Loss over 10 steps, between 1.000 and 4.000");
  assert.equal(svg.querySelectorAll("circle").length, 1);
  assert.equal(svg.querySelector("polyline.train").getAttribute("points").split(" ").length, 3);
  assert.deepEqual(asked, ["/api/v1/training-runs/7"]);
});
