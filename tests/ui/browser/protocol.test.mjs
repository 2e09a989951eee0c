import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./scripts.mjs";

const { createProtocol } = load(["protocol.js"], ["createProtocol"]);

function opened(session = "one") {
  const protocol = createProtocol();
  protocol.begin(session);
  return protocol;
}

test("an element is unknown until it is told something", () => {
  const protocol = opened();
  assert.equal(protocol.shown("cards"), undefined);
  assert.deepEqual(protocol.turns(["cards"]), { cards: 0 });
});

test("an empty value is a value", () => {
  const protocol = opened();
  assert.equal(protocol.whole("figure", 3, {}), true);
  assert.deepEqual(protocol.shown("figure"), {});
  assert.deepEqual(protocol.turns(["figure"]), { figure: 3 });
});

test("an empty value takes the place of the figure of another model", () => {
  const protocol = opened();
  protocol.whole("figure", 3, { layout: 1 });
  assert.equal(protocol.whole("figure", 4, {}), true);
  assert.deepEqual(protocol.shown("figure"), {});
});

test("even turn 0 is shown where nothing is known", () => {
  const protocol = opened();
  assert.equal(protocol.whole("figure", 0, {}), true);
  assert.deepEqual(protocol.shown("figure"), {});
});

test("a first value comes with a run of the page or with an answer", () => {
  const protocol = opened();
  assert.equal(protocol.whole("cards", 1, { a: 1 }), true);
  assert.equal(protocol.part("status", 2, { words: "x" }), true);
  assert.deepEqual([protocol.shown("cards"), protocol.shown("status")], [{ a: 1 }, { words: "x" }]);
});

test("a part changes what it names, and takes away what is null", () => {
  const protocol = opened();
  protocol.whole("cards", 1, { a: 1, b: 2, c: { d: null } });
  assert.equal(protocol.part("cards", 5, { a: 7, b: null }), true);
  assert.deepEqual(protocol.shown("cards"), { a: 7, c: { d: null } });
  assert.deepEqual(protocol.turns(["cards"]), { cards: 5 });
});

test("a part reaches into objects, and leaves what was drawn before as it was", () => {
  const protocol = opened();
  protocol.whole("curve", 1, { trace: { x: [1, 2], line: { color: "blue", dash: "dot" } }, words: "w" });
  const before = protocol.shown("curve");
  protocol.part("curve", 2, { trace: { x: [3], line: { color: "red", dash: null } } });
  assert.deepEqual(protocol.shown("curve"), { trace: { x: [3], line: { color: "red" } }, words: "w" });
  assert.deepEqual(before, { trace: { x: [1, 2], line: { color: "blue", dash: "dot" } }, words: "w" });
});

test("an object may become a number, a list or nothing, and back", () => {
  const protocol = opened();
  const told = [{ a: { b: 1 } }, { a: 1 }, { a: {} }, { a: [1] }, { a: { b: 2 } }, { a: { b: null } }, { a: null }];
  const seen = told.map((part, place) => { protocol.part("x", place + 1, part); return protocol.shown("x"); });
  assert.deepEqual(seen, [{ a: { b: 1 } }, { a: 1 }, { a: {} }, { a: [1] }, { a: { b: 2 } }, { a: {} }, {}]);
});

test("an older turn changes nothing, whichever way it comes", () => {
  const protocol = opened();
  protocol.whole("cards", 5, { a: 5 });
  assert.equal(protocol.whole("cards", 4, { a: 4 }), false);
  assert.equal(protocol.part("cards", 4, { a: 4 }), false);
  assert.equal(protocol.part("cards", 5, { a: 4 }), false);
  assert.deepEqual(protocol.shown("cards"), { a: 5 });
});

test("an element that is mounted again is drawn with what it was told last", () => {
  const protocol = opened();
  protocol.whole("cards", 5, { a: 5 });
  assert.equal(protocol.whole("cards", 5, { a: 5 }), true);
  protocol.part("cards", 6, { a: 6 });
  assert.equal(protocol.whole("cards", 5, { a: 5 }), false); // the run of the page was drawn before
  assert.deepEqual(protocol.shown("cards"), { a: 6 });
});

test("another page of the session asks for its own elements, and finds the others again", () => {
  const protocol = opened();
  protocol.whole("cards", 5, { a: 5 });
  protocol.whole("curve", 6, { b: 6 });
  assert.deepEqual(protocol.turns(["curve"]), { curve: 6 });
  assert.equal(protocol.begin("one"), false);
  assert.deepEqual(protocol.shown("cards"), { a: 5 });
});

test("another session knows nothing of before, whose turns may be larger", () => {
  const protocol = opened();
  protocol.whole("cards", 900, { a: 1 });
  protocol.edit("console", { seq: 3 }, true);
  assert.equal(protocol.begin("two"), true); // the session was lost, or the server was started again and counts from 1
  assert.equal(protocol.isOf("one"), false);
  assert.deepEqual(protocol.turns(["cards"]), { cards: 0 });
  assert.deepEqual([protocol.owed(), protocol.unsent(), protocol.next()], [0, undefined, 1]);
  assert.equal(protocol.whole("cards", 1, { a: 2 }), true);
});

test("a move is owed until the server has it, and its numbers are older until then", () => {
  const protocol = opened();
  protocol.taken(4);
  assert.deepEqual([protocol.next(), protocol.owed()], [5, 0]);
  protocol.edit("console", { seq: 5 }, true);
  assert.deepEqual([protocol.owed(), protocol.isOlder(4), protocol.isOlder(5)], [5, true, false]);
  assert.deepEqual(protocol.unsent(), { name: "console", message: { seq: 5 } });
  protocol.taken(4);
  assert.equal(protocol.owed(), 5);
  protocol.taken(5);
  assert.deepEqual([protocol.owed(), protocol.unsent(), protocol.isOlder(4)], [0, undefined, true]);
});

test("numbers of a recipe that came about otherwise are not older", () => {
  const protocol = opened();
  protocol.taken(2); // undo, a preset: no edit of this browser
  assert.equal(protocol.isOlder(2), false);
  assert.equal(protocol.isOlder(undefined), false);
});

test("a lock is sent like a move, but no number waits for it", () => {
  const protocol = opened();
  protocol.edit("console", { seq: 1 }, false);
  assert.deepEqual([protocol.owed(), protocol.isOlder(0), protocol.unsent().message.seq], [0, false, 1]);
});

test("the last of several edits stays, since it holds the ones before", () => {
  const protocol = opened();
  protocol.edit("console", { seq: protocol.next() }, true);
  protocol.edit("console", { seq: protocol.next() }, true);
  protocol.taken(1);
  assert.deepEqual([protocol.unsent().message.seq, protocol.owed()], [2, 2]);
  protocol.taken(2);
  assert.equal(protocol.unsent(), undefined);
});

test("what is taken never goes back", () => {
  const protocol = opened();
  protocol.taken(5);
  protocol.taken(3);
  protocol.taken(undefined);
  assert.equal(protocol.next(), 6);
});
