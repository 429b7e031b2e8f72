/** Entry that only pages with a PDF load: draws its pages with pdf.js. */

import { GlobalWorkerOptions, getDocument, VerbosityLevel } from "pdfjs-dist/legacy/build/pdf.mjs";
import { PdfView } from "./reader/pdf-view.js";

/** @typedef {import("./reader/pdf-view.js").Options} Options */

/** Bytes fetched at a time of a large file: a page deep inside is there without all that lies before it. */
const RANGE = 256 * 1024;
/** Up to this size the whole file comes in one stream, which is faster than many questions for its parts. */
const STREAMED = 16 * 1024 * 1024;

/**
 * @param {Options & {worker: string, parts: string, onFail: (why: string) => void}} options
 * @returns {Promise<import("./reader/types.js").Pages>}
 */
export async function openPages({ worker, parts, onFail, ...options }) {
  GlobalWorkerOptions.workerSrc = worker;
  const task = getDocument({
    url: options.data.file,
    cMapUrl: `${parts}/cmaps/`,
    standardFontDataUrl: `${parts}/standard_fonts/`,
    wasmUrl: `${parts}/wasm/`,
    rangeChunkSize: RANGE,
    disableAutoFetch: true,
    disableStream: (options.data.bytes ?? 0) > STREAMED,
    enableXfa: false,
    verbosity: VerbosityLevel.ERRORS,
  });
  try {
    return new PdfView(await task.promise, options);
  } catch (error) {
    onFail(reason(error));
    throw error;
  }
}

/** @param {unknown} error */
function reason(error) {
  const name = error instanceof Error ? error.name : "";
  if (name === "PasswordException") return "This PDF opens only with a password.";
  if (name === "InvalidPDFException") return "This PDF is damaged and cannot be drawn.";
  return "The PDF could not be loaded.";
}
