/**
 * Shapes of the API this front end reads.
 *
 * @typedef {{before: string, match: string, after: string, above: string}} Excerpt
 * @typedef {{state: "current" | "replaced" | "not_valid" | "deleted" | "erased" | "forbidden", words: string, newest: number | null}} Standing
 * @typedef {{label: string, key: string, document: string, version: number, title: string,
 *   heading_path: string[], page: number | null, start: number, end: number, text: string, score: number,
 *   excerpt: Excerpt, page_kind?: "page" | "slide", used: boolean, standing?: Standing,
 *   differs?: {label: string, differences: [string, string][]}[]}} RunPassage
 * @typedef {{number: number, passage: string, document: string, version: number, title: string,
 *   page: number | null, start: number, end: number, quote: string, sentence: number | null,
 *   page_kind?: "page" | "slide", heading_path?: string[], standing?: Standing, excerpt: Excerpt}} RunCitation
 * @typedef {{index: number, start: number, end: number, verdict: string, score: number | null,
 *   reasons: string[], citations: number[], left_out?: boolean}} RunSentence
 * @typedef {{document: string, version: number, title: string, page: number | null, start: number, end: number}} Related
 * @typedef {{code?: string, message?: string, retry?: boolean}} RunError
 * @typedef {{id: string, status: "running" | "done" | "stopped" | "failed", question: string, query: string, notes?: string[],
 *   model: string, answered_by?: string, in_place_of?: string, no_answer: boolean, passages: RunPassage[], citations: RunCitation[],
 *   answer_mode?: string, label?: string, structured?: boolean,
 *   sentences: RunSentence[], related?: Related[], timings: Record<string, number>, error: RunError | null}} Run
 * @typedef {{id: string, role: "user" | "assistant", text: string, created: string, run: Run | null}} Message
 * @typedef {{id: string, title: string, updated: string, origin?: string}} Conversation
 * @typedef {{id: string, name: string, slug: string, documents?: number}} KnowledgeBase
 * @typedef {{id: string, title: string, status: string, stage_progress: number, error: string | null, retry: boolean,
 *   version: number | null, chunks: number | null, pages: number | null, size?: number, updated?: string,
 *   attempts?: number, last_error?: string | null, queue_position?: number | null, eta_seconds?: number | null,
 *   validity?: string, unchanged?: number | null}} DocumentRow
 */

export {};
