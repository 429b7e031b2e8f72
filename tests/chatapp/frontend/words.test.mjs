import assert from "node:assert/strict";
import { test } from "node:test";
import { modelText } from "../../../chatapp/frontend/src/lib/words.js";

test("an answer says which model gave it, and in place of which", () => {
  assert.equal(modelText({ model: "" }), "");
  assert.equal(modelText({ model: "extractive/default" }), "quotes only, no language model");
  assert.equal(modelText({ model: "openai/small", answered_by: "Small", in_place_of: "" }), "openai/small");
  assert.equal(
    modelText({ model: "openai/small", answered_by: "Small", in_place_of: "Large" }),
    "Small in place of Large",
  );
});
