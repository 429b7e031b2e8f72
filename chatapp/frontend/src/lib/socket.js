/**
 * The chat socket: one connection, many runs, nothing lost.
 *
 * Every server event of a run has a number. Events are handed on strictly in order and once; a hole or
 * a new connection is answered with `resume`, so an answer survives a lost network or a reload.
 */

const PING_EVERY = 20_000;
const SILENCE_LIMIT = 45_000;
const RESUME_AGAIN = 2_000;
const SIGNED_OUT = 4401;
const NEVER = Number.NEGATIVE_INFINITY;
const BACK_OFF = [500, 1_000, 2_000, 4_000, 8_000, 15_000];
const LAST_EVENTS = new Set(["answer.done", "run.error"]);

/** @typedef {{type: string, run?: string, seq?: number, code?: string, message?: string, [key: string]: any}} Frame */
/** @typedef {"connecting" | "open" | "waiting" | "signed-out"} State */
/** @typedef {{seq: number, asked: number}} Track last number handed on, and when `resume` was last sent */
/** @typedef {{text: string, client_id: string, conversation?: string, assistant?: string, knowledge_bases?: string[]}} Question */

/**
 * @typedef {object} Handlers
 * @property {(frame: Frame) => void} onEvent a numbered event of a run we follow, in order
 * @property {(frame: Frame) => void} onRefused an `error` frame that belongs to no run
 * @property {(state: State) => void} onState
 */

export class ChatSocket {
  /**
   * @param {string} url
   * @param {Handlers} handlers
   * @param {{WebSocket?: any, now?: () => number}} [parts] stand-ins for tests
   */
  constructor(url, handlers, parts = {}) {
    this.url = url;
    this.handlers = handlers;
    this.Socket = parts.WebSocket ?? globalThis.WebSocket;
    this.now = parts.now ?? Date.now;
    /** @type {Map<string, Track>} */
    this.runs = new Map();
    /** Questions without a `run.started` yet, by client id. @type {Map<string, Question>} */
    this.pending = new Map();
    /** @type {any} */
    this.socket = null;
    this.failures = 0;
    this.heard = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.closed = false;
  }

  connect() {
    if (this.closed || this.socket) return;
    clearTimeout(this.timer);
    this.handlers.onState("connecting");
    const socket = new this.Socket(this.url);
    this.socket = socket;
    socket.onopen = () => this.#opened();
    socket.onmessage = (/** @type {{data: string}} */ event) => this.#received(event.data);
    socket.onclose = (/** @type {{code?: number} | undefined} */ event) => this.#lost(socket, event?.code);
  }

  /** Close for good. */
  close() {
    this.closed = true;
    clearTimeout(this.timer);
    this.socket?.close();
    this.socket = null;
  }

  get isOpen() {
    return this.socket?.readyState === 1;
  }

  /**
   * Ask, now or as soon as the connection is back. The server takes one client id once.
   *
   * @param {Question} question
   */
  ask(question) {
    this.pending.set(question.client_id, question);
    this.#send({ type: "ask", ...question });
    this.connect();
  }

  /**
   * Give up a question that has not been accepted.
   *
   * @param {string} clientId
   */
  forget(clientId) {
    this.pending.delete(clientId);
  }

  /** @param {string} run */
  stop(run) {
    this.#send({ type: "stop", run });
  }

  /**
   * Follow a run that someone else started or an earlier page left.
   *
   * @param {string} run
   * @param {number} [seq] the last number already shown
   */
  follow(run, seq = 0) {
    if (this.runs.has(run)) return;
    this.runs.set(run, { seq, asked: NEVER });
    this.#resume(run);
    this.connect();
  }

  /**
   * Stop following a run whose answer is not on the screen any more; it goes on at the server.
   *
   * @param {string} run
   */
  leave(run) {
    this.runs.delete(run);
  }

  /** Call when the network is back or the page is shown again. */
  wake() {
    if (this.closed) return;
    if (this.isOpen && this.now() - this.heard < SILENCE_LIMIT) {
      this.#send({ type: "ping" });
    } else if (!this.socket) {
      this.failures = 0;
      this.connect();
    }
  }

  /** @param {Record<string, unknown>} message */
  #send(message) {
    if (this.isOpen) this.socket.send(JSON.stringify({ v: 1, ...message }));
  }

  #opened() {
    this.failures = 0;
    this.heard = this.now();
    this.handlers.onState("open");
    for (const question of this.pending.values()) this.#send({ type: "ask", ...question });
    for (const [run, track] of this.runs) {
      track.asked = NEVER;
      this.#resume(run);
    }
    this.#beat(this.socket);
  }

  /** @param {any} socket */
  #beat(socket) {
    this.timer = setTimeout(() => {
      if (this.socket !== socket) return;
      if (this.now() - this.heard > SILENCE_LIMIT) {
        // A dead connection may take minutes to notice itself.
        socket.close();
        this.#lost(socket);
        return;
      }
      this.#send({ type: "ping" });
      this.#beat(socket);
    }, PING_EVERY);
  }

  /**
   * @param {any} socket
   * @param {number} [code] why the server closed it
   */
  #lost(socket, code) {
    if (this.socket !== socket) return;
    this.socket = null;
    clearTimeout(this.timer);
    if (this.closed) return;
    if (code === SIGNED_OUT) {
      this.closed = true;
      this.handlers.onState("signed-out");
      return;
    }
    this.handlers.onState("waiting");
    const step = BACK_OFF[Math.min(this.failures, BACK_OFF.length - 1)] ?? 1_000;
    this.failures += 1;
    this.timer = setTimeout(() => this.connect(), step * (0.75 + Math.random() / 2));
  }

  /** @param {string} run */
  #resume(run) {
    const track = this.runs.get(run);
    if (!track || !this.isOpen) return;
    const now = this.now();
    if (now - track.asked < RESUME_AGAIN) return;
    track.asked = now;
    this.#send({ type: "resume", run, seq: track.seq });
  }

  /** @param {string} data */
  #received(data) {
    this.heard = this.now();
    /** @type {Frame} */
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return;
    }
    if (frame.type === "pong") return;
    if (frame.run === undefined || frame.seq === undefined) {
      if (frame.type === "error") this.handlers.onRefused(frame);
      return;
    }
    this.#numbered(frame, frame.run, frame.seq);
  }

  /**
   * @param {Frame} frame
   * @param {string} run
   * @param {number} seq
   */
  #numbered(frame, run, seq) {
    let track = this.runs.get(run);
    if (!track) {
      if (frame.type !== "run.started" || !this.pending.has(frame.client_id)) return;
      track = { seq: seq - 1, asked: NEVER };
      this.runs.set(run, track);
    }
    if (seq <= track.seq) return;
    if (seq > track.seq + 1) {
      this.#resume(run);
      return;
    }
    track.seq = seq;
    track.asked = NEVER;
    if (frame.type === "run.started") this.pending.delete(frame.client_id);
    if (LAST_EVENTS.has(frame.type)) this.runs.delete(run);
    this.handlers.onEvent(frame);
  }
}

/**
 * @param {string} path
 * @returns {string} the socket address on this page's own host
 */
export function socketUrl(path) {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
}
