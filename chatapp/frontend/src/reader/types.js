/**
 * What the reader's page tells its scripts.
 *
 * @typedef {[number, number, number, number, number]} Rect page, x0, y0, x1, y1 in PDF user space
 * @typedef {{here: boolean, link: string, text_link?: string, title: string, number: number, page: number | null,
 *   rects?: Rect[], exact: boolean, quote?: string, cells?: string}} Stop
 * @typedef {{view: "pages" | "text", drawn?: "pdf" | "picture" | "", stops: Stop[], count: number, index: number | null, page: number | null, page_asked?: boolean,
 *   sizes: [number, number][], file: string, bytes?: number}} ReaderData
 * @typedef {{showStop: (index: number) => void, step: (by: number) => void, goTo: (page: number) => void,
 *   zoom: (how: "in" | "out" | "fit") => void}} Pages
 */

export {};
