import assert from "node:assert/strict";
import { mock, test } from "node:test";

const frontend = new URL("../../../chatapp/frontend/", import.meta.url);
const { ChatSocket } = await import(new URL("src/lib/socket.js", frontend));

const RUN = "run-1";

/** A socket and its far end: what was sent, and a hand to send frames back. */
function setup() {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const sockets = [];
  class FakeWebSocket {
    constructor(url) {
      this.url = url;
      this.readyState = 0;
      this.sent = [];
      sockets.push(this);
    }
    send(data) {
      this.sent.push(JSON.parse(data));
    }
    close(code = 1006) {
      this.readyState = 3;
      this.onclose?.({ code });
    }
    open() {
      this.readyState = 1;
      this.onopen();
    }
    frame(frame) {
      this.onmessage({ data: JSON.stringify(frame) });
    }
  }
  const events = [];
  const refused = [];
  const states = [];
  const chat = new ChatSocket(
    "ws://test/ws/chat/",
    { onEvent: (event) => events.push(event), onRefused: (frame) => refused.push(frame), onState: (state) => states.push(state) },
    { WebSocket: FakeWebSocket },
  );
  return { chat, sockets, events, refused, states, last: () => sockets.at(-1) };
}

function started(client = "c1") {
  return { type: "run.started", run: RUN, seq: 1, client_id: client, conversation: "k", message: "m" };
}

function delta(seq, text = `t${seq}`) {
  return { type: "answer.delta", run: RUN, seq, text };
}

function asking() {
  const test = setup();
  test.chat.connect();
  test.last().open();
  test.chat.ask({ text: "Why?", client_id: "c1" });
  return test;
}

const ofType = (socket, type) => socket.sent.filter((message) => message.type === type);

test("a question carries the protocol version and its own id", () => {
  const { last } = asking();
  assert.deepEqual(last().sent, [{ v: 1, type: "ask", text: "Why?", client_id: "c1" }]);
});

test("events are handed on once and in order", () => {
  const { last, events } = asking();
  for (const frame of [started(), delta(2), delta(2), delta(3), delta(2)]) last().frame(frame);
  assert.deepEqual(events.map((event) => event.seq), [1, 2, 3]);
});

test("a hole is asked for once and nothing is shown out of order", () => {
  const { last, events } = asking();
  for (const frame of [started(), delta(2), delta(5), delta(6)]) last().frame(frame);
  assert.deepEqual(events.map((event) => event.seq), [1, 2]);
  assert.deepEqual(ofType(last(), "resume"), [{ v: 1, type: "resume", run: RUN, seq: 2 }]);
  for (const frame of [delta(3), delta(4), delta(5), delta(6)]) last().frame(frame);
  assert.deepEqual(events.map((event) => event.seq), [1, 2, 3, 4, 5, 6]);
});

test("a hole that is not filled is asked for again", () => {
  const { last } = asking();
  last().frame(started());
  last().frame(delta(4));
  mock.timers.tick(2_500);
  last().frame(delta(5));
  assert.equal(ofType(last(), "resume").length, 2);
});

test("a new connection resumes after the last number seen", () => {
  const { last, sockets, events } = asking();
  last().frame(started());
  last().frame(delta(2));
  last().close();
  mock.timers.tick(1_000);
  assert.equal(sockets.length, 2);
  last().open();
  assert.deepEqual(last().sent, [{ v: 1, type: "resume", run: RUN, seq: 2 }]);
  last().frame(delta(2));
  last().frame(delta(3));
  assert.deepEqual(events.map((event) => event.seq), [1, 2, 3]);
});

test("a question asked without a connection is sent when there is one", () => {
  const { chat, last, events } = setup();
  chat.ask({ text: "Why?", client_id: "c1" });
  assert.deepEqual(last().sent, []);
  last().open();
  assert.equal(ofType(last(), "ask").length, 1);
  last().frame(started());
  assert.equal(events.length, 1);
});

test("a question without an answer is sent again under the same id after a lost connection", () => {
  const { last } = asking();
  last().close();
  mock.timers.tick(1_000);
  last().open();
  assert.deepEqual(ofType(last(), "ask").map((message) => message.client_id), ["c1"]);
});

test("an accepted question is not sent again", () => {
  const { last } = asking();
  last().frame(started());
  last().close();
  mock.timers.tick(1_000);
  last().open();
  assert.equal(ofType(last(), "ask").length, 0);
});

test("a finished run is not resumed", () => {
  for (const type of ["answer.done", "run.error"]) {
    const { last } = asking();
    last().frame(started());
    last().frame({ type, run: RUN, seq: 2 });
    last().close();
    mock.timers.tick(1_000);
    last().open();
    assert.deepEqual(last().sent, []);
  }
});

test("a running answer found after a reload is followed from its first event", () => {
  const { chat, last, events } = setup();
  chat.connect();
  chat.follow(RUN, 0);
  last().open();
  assert.deepEqual(last().sent, [{ v: 1, type: "resume", run: RUN, seq: 0 }]);
  last().frame(started("from-another-page"));
  last().frame(delta(2));
  assert.deepEqual(events.map((event) => event.seq), [1, 2]);
});

test("events of a run nobody here asked for are ignored", () => {
  const { last, events } = asking();
  last().frame({ ...started("somebody-else"), run: "other" });
  last().frame({ ...delta(2), run: "other" });
  assert.deepEqual(events, []);
});

test("a run that was left is silent, and can be followed again from the start", () => {
  const { chat, last, events } = asking();
  last().frame(started());
  chat.leave(RUN);
  last().frame(delta(2));
  assert.equal(events.length, 1);
  chat.follow(RUN, 0);
  assert.deepEqual(ofType(last(), "resume"), [{ v: 1, type: "resume", run: RUN, seq: 0 }]);
});

test("reconnecting backs off and starts afresh after success", () => {
  const { last, sockets } = asking();
  const waits = [];
  for (let attempt = 0; attempt < 4; attempt += 1) {
    last().close();
    const before = sockets.length;
    let waited = 0;
    while (sockets.length === before) {
      mock.timers.tick(50);
      waited += 50;
    }
    waits.push(waited);
  }
  assert.ok(waits[0] <= 700 && waits[3] >= 2_900, String(waits));
  last().open();
  last().close();
  mock.timers.tick(700);
  assert.equal(sockets.length, 6);
});

test("a ping goes out every twenty seconds, and silence ends the connection", () => {
  const { last, sockets } = asking();
  mock.timers.tick(20_000);
  last().frame({ type: "pong" });
  assert.equal(ofType(last(), "ping").length, 1);
  mock.timers.tick(20_000);
  mock.timers.tick(20_000);
  mock.timers.tick(20_000);
  mock.timers.tick(1_000);
  assert.equal(sockets.length, 2);
});

test("a refusal that belongs to no run is handed on", () => {
  const { last, refused, events } = asking();
  last().frame({ type: "error", code: "rate", message: "Too fast." });
  assert.equal(refused[0].message, "Too fast.");
  assert.deepEqual(events, []);
});

test("garbage on the wire is survived", () => {
  const { last, events } = asking();
  last().onmessage({ data: "<html>" });
  last().frame(started());
  assert.equal(events.length, 1);
});

test("a closed socket stays closed", () => {
  const { chat, sockets } = asking();
  chat.close();
  mock.timers.tick(60_000);
  chat.wake();
  assert.equal(sockets.length, 1);
});

test("a socket closed because the session ended does not come back by itself", () => {
  const { sockets, states, last } = asking();
  last().close(4401);
  mock.timers.tick(60_000);
  assert.equal(sockets.length, 1);
  assert.equal(states.at(-1), "signed-out");
});
