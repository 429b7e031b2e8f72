/** Entry that only pages with a PDF load: draws its pages with pdf.js. */

import { GlobalWorkerOptions, getDocument, VerbosityLevel } from "pdfjs-dist/legacy/build/pdf.mjs";
import { PdfView } from "./reader/pdf-view.js";

/** @typedef {import("./reader/pdf-view.js").Options} Options */

/** Bytes fetched at a time: a page deep inside a large file is there without the file before it. */
const RANGE = 256 * 1024;

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
    disableStream: true,
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
