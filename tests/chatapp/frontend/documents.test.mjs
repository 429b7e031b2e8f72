import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

const frontend = new URL("../../../chatapp/frontend/", import.meta.url);
const { JSDOM } = createRequire(new URL("package.json", frontend))("jsdom");
const { window } = new JSDOM("", { url: "http://localhost/" });
globalThis.window = window;
globalThis.document = window.document;
const { DocumentTable } = await import(new URL("src/documents/document-table.js", frontend));

/** Draw one row and return it, with what was asked to be tried again. */
function drawn(fields, canEdit = true) {
  const retried = [];
  const body = document.createElement("tbody");
  const table = new DocumentTable(body, { canEdit, onDelete() {}, onRetry: (row) => retried.push(row.id) });
  table.put({ id: "d1", title: "Report", status: "ready", stage_progress: 1, error: null, retry: false, ...fields });
  return { row: body.rows[0], retried };
}

const button = (row) => [...row.querySelectorAll("button")].find((found) => found.textContent === "Retry");
const failed = { status: "failed", error: "The file is password protected." };

test("a failure that may be over can be tried again", () => {
  const { row, retried } = drawn({ ...failed, retry: true });
  button(row).click();
  assert.deepEqual(retried, ["d1"]);
  assert.equal(row.querySelector(".state-hint"), null);
});

test("where trying again cannot help, the page says what to do instead", () => {
  const { row } = drawn(failed);
  assert.equal(button(row), undefined);
  assert.match(row.textContent, /password protected/);
  assert.match(row.textContent, /Upload a readable file under the same name, or delete/);
  assert.ok(row.querySelector("[aria-label='Delete Report']"));
});

test("a reader who may not change documents is told no more than the reason", () => {
  const { row } = drawn(failed, false);
  assert.equal(row.querySelector("button"), null);
  assert.equal(row.querySelector(".state-hint"), null);
  assert.match(row.textContent, /password protected/);
});

test("a document that did not fail offers no retry", () => {
  for (const status of ["queued", "parsing", "ready", "deleting"]) assert.equal(button(drawn({ status }).row), undefined);
});

test("who may edit is led to how a document was read, also when it failed, but not before", () => {
  const links = (fields, canEdit) => drawn(fields, canEdit).row.querySelectorAll("a[href='/documents/d1/reading']").length;
  assert.equal(links({}), 1);
  assert.equal(links(failed), 1);
  assert.equal(links({ status: "parsing" }), 0);
  assert.equal(links({}, false), 0);
});

test("a document that its dates keep out of searches says so, and its versions are a link for who may edit", () => {
  const { row } = drawn({ validity: "no longer valid since 1 March 2027" });
  assert.match(row.querySelector(".validity-badge").textContent, /no longer valid since 1 March 2027/);
  assert.equal(drawn({}).row.querySelector(".validity-badge"), null);
  assert.ok(row.querySelector("a[href='/documents/d1/versions/']"));
  assert.equal(drawn({}, false).row.querySelector("a[href='/documents/d1/versions/']"), null);
});
