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
  const cancelled = [];
  const body = document.createElement("tbody");
  const onRetry = (row) => retried.push(row.id);
  const onCancel = (row) => cancelled.push(row.id);
  const table = new DocumentTable(body, { canEdit, attempts: 3, onDelete() {}, onRetry, onCancel });
  table.put({ id: "d1", title: "Report", status: "ready", stage_progress: 1, error: null, retry: false, ...fields });
  return { row: body.rows[0], retried, cancelled };
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

test("whoever waits is told how many files come first, how long about, and the attempt", () => {
  const words = (fields) => drawn(fields).row.querySelector(".state-hint")?.textContent;
  assert.equal(words({ status: "queued", queue_position: 1, eta_seconds: null, attempts: 0 }), undefined);
  assert.equal(words({ status: "queued", queue_position: 2, eta_seconds: 20 }), "1 file before it \u00b7 less than a minute");
  assert.equal(words({ status: "queued", queue_position: 1241, eta_seconds: 200, attempts: 1 }),
    "1,240 files before it \u00b7 about 3 minutes \u00b7 attempt 2 of 3");
  assert.equal(words({ status: "parsing", eta_seconds: 7200, attempts: 2 }), "about 2 hours \u00b7 attempt 2 of 3");
  assert.equal(words({ status: "ready", eta_seconds: 5, attempts: 2 }), undefined);
});

test("while a document waits for another attempt, the page says what ended the last one", () => {
  const { row } = drawn({ status: "queued", attempts: 1, last_error: "The index was away." });
  assert.match(row.textContent, /attempt 2 of 3.*The index was away\./);
});

test("work can be cancelled while it lasts, by those who may edit", () => {
  const cancel = (fields, canEdit) => drawn(fields, canEdit).row.querySelector("[aria-label='Cancel Report']");
  for (const status of ["queued", "parsing", "embedding"]) assert.ok(cancel({ status }));
  for (const status of ["ready", "failed", "deleting"]) assert.equal(cancel({ status }), null);
  assert.equal(cancel({ status: "queued" }, false), null);
  const { row, cancelled } = drawn({ status: "queued" });
  row.querySelector("[aria-label='Cancel Report']").click();
  assert.deepEqual(cancelled, ["d1"]);
});
