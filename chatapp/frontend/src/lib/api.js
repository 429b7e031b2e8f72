/** The JSON API with the session's cookie. */

const ROOT = "/api/v1";

/** A refusal of the API in words a person can read. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {number} status 0 when the server could not be reached
   */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** @returns {string} */
export function csrfToken() {
  return document.querySelector('meta[name="csrf-token"]')?.getAttribute("content") ?? "";
}

/**
 * Turn a problem document (RFC 9457) or a bare status into one sentence.
 *
 * @param {number} status
 * @param {string} body
 * @returns {string}
 */
export function problemText(status, body) {
  try {
    const problem = JSON.parse(body);
    const text = problem.detail || problem.title || problem.message;
    if (typeof text === "string" && text) return text;
  } catch {
    // Not JSON: a proxy's page, for example. The status says enough.
  }
  if (status === 401 || status === 403)
    return "You are not signed in any more, or this is not yours to change.";
  if (status === 404) return "This does not exist any more.";
  if (status === 413) return "The file is too large.";
  if (status === 429) return "Too many requests. Wait a moment and try again.";
  return status >= 500 ? "The server could not do this right now." : "The server did not accept this.";
}

/**
 * @param {string} path below /api/v1
 * @param {{method?: string, body?: unknown, signal?: AbortSignal}} [options]
 * @returns {Promise<any>} the parsed answer, or null when there is none
 */
export async function api(path, { method = "GET", body, signal } = {}) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRFToken"] = csrfToken();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(ROOT + path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      signal,
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError("The server cannot be reached. Check the connection and try again.", 0);
  }
  const text = await response.text();
  if (!response.ok) throw new ApiError(problemText(response.status, text), response.status);
  return text ? JSON.parse(text) : null;
}

/**
 * Read a cursor page and all that follow, up to `most` items.
 *
 * @param {string} path
 * @param {number} [most]
 * @returns {Promise<any[]>}
 */
export async function apiList(path, most = 1000) {
  const items = [];
  let cursor = "";
  do {
    const glue = path.includes("?") ? "&" : "?";
    const page = await api(cursor ? `${path}${glue}cursor=${encodeURIComponent(cursor)}` : path);
    items.push(...page.items);
    cursor = page.next_cursor ?? "";
  } while (cursor && items.length < most);
  return items;
}

/**
 * Upload one file with progress.
 *
 * @param {string} path
 * @param {File} file
 * @param {(share: number) => void} onProgress share of the bytes sent, 0 to 1
 * @returns {Promise<any>}
 */
export function upload(path, file, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const form = new FormData();
    form.append("file", file, file.name);
    request.open("POST", ROOT + path);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRFToken", csrfToken());
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable && event.total > 0) onProgress(event.loaded / event.total);
    });
    request.addEventListener("load", () => {
      if (request.status >= 200 && request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(new ApiError(problemText(request.status, request.responseText), request.status));
    });
    request.addEventListener("error", () => reject(new ApiError("The upload was interrupted.", 0)));
    request.send(form);
  });
}
