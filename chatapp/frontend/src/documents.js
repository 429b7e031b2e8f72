/** Entry of the documents page. */

import { DocumentsPage } from "./documents/documents-page.js";

customElements.define("fn-documents", DocumentsPage);
