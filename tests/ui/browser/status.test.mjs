import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./scripts.mjs";

const { announcement, measured } = load(["status.js"], ["announcement", "measured"]);
const { headline, arrowed } = load(["cards.js"], ["headline", "arrowed"]);

test("a result is read aloud with its number, and nothing on the way to it", () => {
  const said = "Accuracy 19.8 %, down 78.7 points, worse beyond noise";
  assert.equal(announcement({ kind: "busy", words: "Live: 10 of 450 samples" }, false, said), undefined);
  assert.equal(announcement({ kind: "note", words: "Final." }, true, said), undefined);
  assert.equal(announcement({ kind: "note", words: "Final." }, false, said), `${said}. Final.`);
  assert.equal(announcement({ kind: "note", words: "Final." }, false, ""), "Final.");
});

test("a refusal is read aloud without the number of another recipe", () => {
  assert.equal(announcement({ kind: "refused", words: "Too little room." }, false, "Accuracy 90 %"), "Too little room.");
});

test("the first card in words", () => {
  assert.equal(headline({ label: "Accuracy", value: "19.8 %", change: "-78.7 points", notes: ["worse beyond noise"] }), "Accuracy 19.8 %, down 78.7 points, worse beyond noise");
  assert.equal(headline({ label: "Perplexity", value: "4.1", change: null, notes: ["3.9 to 4.3"] }), "Perplexity 4.1");
});

test("an arrow takes the place of the sign", () => {
  assert.deepEqual(["-1.0 %", "+2.5 points", "0.0 points"].map(arrowed), ["↓ 1.0 %", "↑ 2.5 points", "0.0 points"]);
});

test("the bar is full once all is measured, and stays where it is when it is stopped", () => {
  assert.equal(measured({ kind: "busy", share: 0.25 }, false), 0.25);
  assert.equal(measured({ kind: "busy", share: 0.25 }, true), 0);
  assert.equal(measured({ kind: "note", words: "Final." }, false), 1);
  assert.equal(measured({ kind: "note", action: "Go on" }, false), undefined);
  assert.equal(measured({ kind: "refused", words: "Too little room." }, false), undefined);
});
