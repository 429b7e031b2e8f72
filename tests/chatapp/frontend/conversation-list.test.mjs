import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { beforeEach, test } from "node:test";

const frontend = new URL("../../../chatapp/frontend/", import.meta.url);
const { JSDOM } = createRequire(new URL("package.json", frontend))("jsdom");
const { window } = new JSDOM("", { url: "http://localhost/" });
for (const name of ["window", "document", "HTMLElement", "CustomEvent", "location"]) {
  globalThis[name] = name === "window" ? window : window[name];
}
const { ConversationList } = await import(new URL("src/chat/conversation-list.js", frontend));
window.customElements.define("fn-conversations", ConversationList);

const MINE = { id: "m", title: "Asked on the page", origin: "browser", updated: "2026-01-02T00:00:00Z" };
const PROGRAM = { id: "p", title: "Asked by a program", origin: "api", updated: "2026-01-03T00:00:00Z" };
let asked = [];
let others = true;

globalThis.fetch = async (address) => {
  asked.push(new URL(address, "http://localhost").searchParams.get("origin"));
  const filtered = asked.at(-1) !== null;
  const items = filtered ? [MINE] : [PROGRAM, MINE];
  return new Response(JSON.stringify({ items, next_cursor: null, others: filtered && others }), {
    headers: { "Content-Type": "application/json" },
  });
};

async function loaded() {
  document.body.innerHTML = "<fn-conversations></fn-conversations>";
  const list = document.querySelector("fn-conversations");
  await list.load();
  return list;
}

const titles = (list) => [...list.querySelectorAll("li a")].map((link) => link.textContent);
const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

beforeEach(() => {
  asked = [];
  others = true;
});

test("chats that programs began are left out until they are asked for", async () => {
  const list = await loaded();
  assert.deepEqual(asked, ["browser"]);
  assert.deepEqual(titles(list), ["Asked on the page"]);
  const button = list.querySelector(".others");
  assert.equal(button.textContent, "Show API chats");
  button.click();
  await settled();
  assert.deepEqual(titles(list), ["API Asked by a program", "Asked on the page"]);
  assert.equal(button.textContent, "Hide API chats");
  button.click();
  await settled();
  assert.deepEqual(asked, ["browser", null, "browser"]);
  assert.deepEqual(titles(list), ["Asked on the page"]);
});

test("whoever has no such chats is offered none", async () => {
  others = false;
  assert.equal((await loaded()).querySelector(".others").hidden, true);
});

test("a page of the earlier list that comes late is dropped", async () => {
  const list = await loaded();
  const button = list.querySelector(".others");
  button.click();
  button.click();
  await settled();
  assert.deepEqual(titles(list), ["Asked on the page"]);
});
