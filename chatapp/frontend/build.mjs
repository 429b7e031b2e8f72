/**
 * Bundle src/ and styles/ into the static folder: hashed names, a manifest, and a size budget.
 * Usage: node build.mjs OUTPUT_FOLDER
 */
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const out = path.resolve(process.argv[2] ?? path.join(here, "../static/chatapp/dist"));

/** Largest gzip size in bytes of each entry; a page loads site.js, app.css and one more. */
const BUDGET = {
  "site.js": 4_000,
  "chat.js": 56_000,
  "documents.js": 20_000,
  "reader.js": 6_000,
  "reading.js": 4_000,
  "versions.js": 3_000,
  "compare.js": 1_500,
  "search.js": 2_000,
  "labelling.js": 1_000,
  "sources.js": 1_500,
  "indexes.js": 2_500,
  "catalogue.js": 1_000,
  "training-data.js": 1_500,
  "training.js": 2_500,
  // Only a page that shows a PDF loads these two.
  "pdf-view.js": 165_000,
  "pdf-worker.js": 410_000,
  "app.css": 15_000,
  "models.css": 5_000, // only the pages about models
};

const LICENCES = { marked: "LICENSE", dompurify: "LICENSE", "pdfjs-dist": "LICENSE" };

/** What pdf.js fetches for some files only: fonts and character maps that are not embedded, and picture decoders. */
const PDF_PARTS = {
  cmaps: () => true,
  standard_fonts: () => true,
  wasm: (/** @type {string} */ name) => /^(jbig2|openjpeg|qcms_bg)\.wasm$|^LICENSE_(?!.*QUICKJS)/.test(name),
};

async function bundle() {
  const result = await build({
    absWorkingDir: here,
    entryPoints: {
      site: "src/site.js",
      chat: "src/chat.js",
      documents: "src/documents.js",
      reader: "src/reader.js",
      reading: "src/reading.js",
      versions: "src/versions.js",
      compare: "src/compare.js",
      search: "src/search.js",
      labelling: "src/labelling.js",
      sources: "src/sources.js",
      indexes: "src/indexes.js",
      catalogue: "src/catalogue.js",
      "training-data": "src/training-data.js",
      training: "src/training.js",
      "pdf-view": "src/pdf-view.js",
      "pdf-worker": "pdfjs-dist/legacy/build/pdf.worker.mjs",
      app: "styles/app.css",
      models: "styles/models.css",
    },
    outdir: out,
    entryNames: "[name]-[hash]",
    bundle: true,
    minify: true,
    format: "esm",
    target: ["es2022", "chrome123", "firefox121", "safari17.5"],
    sourcemap: false,
    legalComments: "none",
    metafile: true,
    write: false,
  });
  return result.outputFiles;
}

/** Copy the parts of pdf.js into a folder with its version in the name, and return that name. */
async function copyPdfParts() {
  const source = path.join(here, "node_modules/pdfjs-dist");
  const { version } = JSON.parse(await readFile(path.join(source, "package.json"), "utf8"));
  const folder = `pdfjs-${version}`;
  for (const [part, wanted] of Object.entries(PDF_PARTS)) {
    for (const name of await readdir(path.join(source, part))) {
      if (wanted(name)) await cp(path.join(source, part, name), path.join(out, folder, part, name));
    }
  }
  return folder;
}

/** @param {{path: string, contents: Uint8Array}[]} files */
async function write(files) {
  await mkdir(out, { recursive: true });
  /** @type {Record<string, {file: string, bytes: number, gzip: number}>} */
  const manifest = {};
  for (const file of files) {
    const name = path.basename(file.path);
    const logical = name.replace(/-[0-9A-Z]{8}(\.[a-z]+)$/, "$1");
    const packed = gzipSync(file.contents);
    manifest[logical] = { file: name, bytes: file.contents.length, gzip: packed.length };
    await writeFile(file.path, file.contents);
    await writeFile(`${file.path}.gz`, packed); // WhiteNoise sends it in place of the other
  }
  const parts = await copyPdfParts();
  const notices = [];
  for (const [name, licence] of Object.entries(LICENCES)) {
    notices.push(`${name}\n\n${await readFile(path.join(here, "node_modules", name, licence), "utf8")}`);
  }
  await writeFile(path.join(out, "licences.txt"), notices.join("\n\n----\n\n"));
  // Last, so that a reader of the manifest never meets a name that is not there yet.
  const listed = { ...manifest, pdfjs: { file: parts } };
  await writeFile(path.join(out, "manifest.json"), `${JSON.stringify(listed, null, 2)}\n`);
  const keep = new Set([
    ...Object.values(listed).flatMap((entry) => [entry.file, `${entry.file}.gz`]),
    "licences.txt",
    "manifest.json",
  ]);
  for (const name of await readdir(out)) {
    if (!keep.has(name)) await rm(path.join(out, name), { force: true, recursive: true });
  }
  return manifest;
}

const manifest = await write(await bundle());
let over = false;
for (const [name, { bytes, gzip }] of Object.entries(manifest)) {
  const limit = BUDGET[/** @type {keyof typeof BUDGET} */ (name)] ?? 0;
  const late = gzip > limit;
  over ||= late;
  console.log(
    `${name.padEnd(14)} ${bytes} bytes, ${gzip} gzip (budget ${limit})${late ? "  OVER BUDGET" : ""}`,
  );
}
if (over) process.exitCode = 1;
