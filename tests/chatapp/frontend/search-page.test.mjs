import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

const frontend = new URL("../../../chatapp/frontend/", import.meta.url);
const { JSDOM } = createRequire(new URL("package.json", frontend))("jsdom");
const { window } = new JSDOM("", { url: "http://localhost/search/" });
for (const name of ["document", "HTMLElement", "HTMLInputElement", "HTMLSelectElement", "HTMLTextAreaElement", "FormData", "DOMParser", "history"]) {
  globalThis[name] = window[name];
}
const { SearchPage, addressOf, isChanged, shorten } = await import(new URL("src/search/search-page.js", frontend));
window.customElements.define("fn-search", SearchPage);

const FORM = `<form data-form action="/search/">
  <textarea name="q">who?</textarea>
  <input name="previous" value="">
  <input type="checkbox" name="base" value="a" checked><input type="checkbox" name="base" value="b" checked>
  <div class="setting"><input name="floor" type="number" min="0" max="0.9" step="0.01" value="0.12" data-saved="0.12"></div>
  <div class="setting"><input name="rerank_weight" type="number" min="0" max="5" step="0.01" value="" data-saved=""></div>
  <div class="setting"><select name="spelling" data-saved="1"><option value="1" selected>on</option><option value="0">off</option></select></div>
</form>`;

function shown({ replies = [] } = {}) {
  document.body.innerHTML = `<fn-search>${FORM}<p data-status></p><div data-results>before</div></fn-search>`;
  const asked = [];
  globalThis.fetch = async (address) => {
    asked.push(address);
    const reply = replies.shift() ?? { ok: true, text: "<div data-results>after</div>" };
    return { ok: reply.ok, status: reply.ok ? 200 : 500, text: async () => reply.text };
  };
  const page = document.querySelector("fn-search");
  return { page, asked, field: (name) => page.querySelector(`[name=${name}]`) };
}

function type(input, value) {
  input.value = value;
  input.dispatchEvent(new window.Event("input", { bubbles: true }));
}

const soon = (ms) => new Promise((done) => setTimeout(done, ms));

test("an address says only what was asked and what was changed", () => {
  const { page, field } = shown();
  const form = page.querySelector("form");
  const data = new window.FormData(form);
  shorten(form, data);
  assert.deepEqual([...data], [["q", "who?"], ["base", "a"], ["base", "b"]]);
  field("floor").value = "0.3";
  field("rerank_weight").value = "0";
  assert.equal(addressOf(form), "/search/?q=who%3F&base=a&base=b&floor=0.3&rerank_weight=0");
});

test("a switch is left out of the address while it stands as it is saved", () => {
  const { page, field } = shown();
  const form = page.querySelector("form");
  assert.equal(isChanged(field("spelling")), false);
  field("spelling").value = "0";
  assert.equal(addressOf(form), "/search/?q=who%3F&base=a&base=b&spelling=0");
  field("spelling").dispatchEvent(new window.Event("input", { bubbles: true }));
  assert.ok(field("spelling").closest(".setting").classList.contains("is-changed"));
});

test("a number written otherwise is no change, an emptied one is", () => {
  const { field } = shown();
  for (const [value, changed] of [["0.120", false], ["0.13", true], ["", true]]) {
    field("floor").value = value;
    assert.equal(isChanged(field("floor")), changed, value);
  }
});

test("changing a setting searches again once, after a moment", async () => {
  const { page, asked, field } = shown();
  type(field("floor"), "0.2");
  type(field("floor"), "0.25");
  assert.ok(field("floor").closest(".setting").classList.contains("is-changed"));
  await soon(400);
  assert.deepEqual(asked, ["/search/?q=who%3F&base=a&base=b&floor=0.25"]);
  assert.equal(page.querySelector("[data-results]").textContent, "after");
  assert.equal(window.location.search, "?q=who%3F&base=a&base=b&floor=0.25");
  type(field("floor"), "0.12");
  assert.ok(!field("floor").closest(".setting").classList.contains("is-changed"));
  page.remove();
});

test("what the field refuses, and a page without a question, are not sent", async () => {
  const { page, asked, field } = shown();
  type(field("floor"), "7");
  await soon(400);
  type(field("floor"), "0.2");
  field("q").value = " ";
  await soon(400);
  assert.deepEqual(asked, []);
  page.remove();
});

test("a search that fails is said, and what was there stays", async () => {
  const { page } = shown({ replies: [{ ok: false, text: "" }] });
  const warn = console.warn;
  console.warn = () => {};
  await page.refresh();
  console.warn = warn;
  assert.match(page.querySelector("[data-status]").textContent, /could not be made/);
  assert.equal(page.querySelector("[data-results]").textContent, "before");
});

test("Enter asks, Shift and Enter does not", () => {
  const { page, field } = shown();
  let submitted = 0;
  page.querySelector("form").requestSubmit = () => (submitted += 1);
  const press = (options) =>
    field("q").dispatchEvent(new window.KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true, ...options }));
  press({ shiftKey: true });
  assert.equal(submitted, 0);
  press({});
  assert.equal(submitted, 1);
});
