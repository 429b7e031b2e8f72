/** Entry of the search page. */

import { SearchPage } from "./search/search-page.js";

customElements.define("fn-search", SearchPage);
