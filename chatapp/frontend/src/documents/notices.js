/** Notices of the tenant: progress of documents. They are a convenience; the page also asks by itself. */

const BACK_OFF = [1_000, 3_000, 8_000, 20_000];
const PING_EVERY = 20_000;

export class Notices {
  /**
   * @param {string} url
   * @param {{onNotice: (notice: any) => void, onOpen: () => void}} handlers
   */
  constructor(url, { onNotice, onOpen }) {
    this.url = url;
    this.onNotice = onNotice;
    this.onOpen = onOpen;
    this.failures = 0;
    /** @type {WebSocket | null} */
    this.socket = null;
    this.#connect();
    setInterval(() => this.isOpen && this.socket?.send('{"v":1,"type":"ping"}'), PING_EVERY);
  }

  get isOpen() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  #connect() {
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.addEventListener("open", () => {
      this.failures = 0;
      this.onOpen();
    });
    socket.addEventListener("message", (event) => {
      const notice = JSON.parse(event.data);
      if (notice.type === "document.progress") this.onNotice(notice);
    });
    socket.addEventListener("close", () => {
      const wait = BACK_OFF[Math.min(this.failures, BACK_OFF.length - 1)] ?? 20_000;
      this.failures += 1;
      setTimeout(() => this.#connect(), wait * (0.75 + Math.random() / 2));
    });
  }
}
