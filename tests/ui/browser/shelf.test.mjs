import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./scripts.mjs";

// As much of a browser as the shelf asks for.
function opened() {
  const history = { pushState: () => {}, replaceState: () => {} };
  const window = { history, location: {} }, marks = [];
  const document = { documentElement: { toggleAttribute: (name, on) => marks.push(`${name} ${on}`) }, createElement: () => ({}) };
  const { shelf } = load(["history.js", "protocol.js", "shelf.js"], ["shelf"], { window, document, watchZoom: () => {}, loadAgainWhereLost: () => {}, loadAgainWhereEmpty: () => {}, keepFocusInRow: () => {}, keepFocus: () => {}, keepFocusInPopover: () => {}, followTheme: () => {} });
  return { shelf, window, document, marks };
}

// An element on the page: what it was drawn with so far, and what takes it away.
function mount(shelf, data, name = "cards") {
  const drawn = [], stopped = [];
  const render = shelf.furnished((component) => { drawn.push(component.data); return () => stopped.push(component.data); }, "", "");
  const parentElement = { querySelector: () => null };
  const leave = render({ parentElement, data: { name, session: "one", ...data } });
  return { drawn, stopped, leave };
}

test("an element that has nothing to show is drawn with nothing", () => {
  const { shelf } = opened();
  assert.deepEqual(mount(shelf, { turn: 1, value: {} }).drawn, [{}]);
  assert.deepEqual(mount(shelf, { turn: 0, value: {} }, "curve").drawn, [{}]);
});

test("an element is drawn with what it is told, whichever way that comes, and never with something older", () => {
  const { shelf } = opened();
  const { drawn } = mount(shelf, { turn: 1, value: { a: 1 } });
  shelf.told({ cards: { turn: 3, value: { a: 3 } }, gone: { turn: 3, value: {} } });
  shelf.told({ cards: { turn: 2, value: { a: 2 } } });
  assert.deepEqual(drawn, [{ a: 1 }, { a: 3 }]);
});

test("a part that is told before a late run of the page stays", () => {
  const { shelf } = opened();
  mount(shelf, { turn: 1, value: { a: 1 } }).leave();
  shelf.told({ cards: { turn: 3, value: { a: 3 } } });
  assert.deepEqual(mount(shelf, { turn: 2, value: { a: 2 } }).drawn, [{ a: 3 }]);
});

test("an element that is mounted again takes the place of the one before, whichever leaves first", () => {
  const { shelf } = opened();
  const first = mount(shelf, { turn: 1, value: { a: 1 } });
  const second = mount(shelf, { turn: 1, value: { a: 1 } });
  first.leave();
  shelf.told({ cards: { turn: 2, value: { a: 2 } } });
  assert.deepEqual([first.drawn, second.drawn], [[{ a: 1 }], [{ a: 1 }, { a: 2 }]]);
  assert.deepEqual([...shelf.mounted()], ["cards"]);
  second.leave();
  assert.deepEqual([...shelf.mounted()], []);
});

test("before it is drawn again, an element stops what it did", () => {
  const { shelf } = opened();
  const { stopped, leave } = mount(shelf, { turn: 1, value: { a: 1 } });
  shelf.told({ cards: { turn: 2, value: { a: 2 } } });
  assert.deepEqual(stopped, [{ a: 1 }]);
  leave();
  assert.deepEqual(stopped, [{ a: 1 }, { a: 2 }]);
});

test("each element that is drawn by a run of the page has the server asked", () => {
  const { shelf } = opened();
  let asked = 0;
  shelf.ask = () => { asked += 1; };
  mount(shelf, { turn: 1, value: {} });
  assert.equal(asked, 1);
});

test("a script that is evaluated a second time finds what is there", () => {
  const { shelf, window, document } = opened();
  assert.equal(load(["history.js", "protocol.js", "shelf.js"], ["shelf"], { window, document }).shelf, shelf);
});

test("the page is marked from the moment a move is made until the server has it", () => {
  const { shelf, marks } = opened();
  const asked = [];
  shelf.session("one");
  shelf.ask = (isFresh) => asked.push(isFresh);
  shelf.edit("console", { seq: shelf.protocol.next() }, true);
  shelf.taken(0);
  shelf.taken(1);
  assert.deepEqual(marks, ["data-older-numbers true", "data-older-numbers false"]);
  assert.deepEqual(asked, [true]);
});

test("a move of a session that was lost is not waited for", () => {
  const { shelf, marks } = opened();
  shelf.session("one");
  shelf.edit("console", { seq: 4 }, true);
  shelf.session("two");
  assert.deepEqual(marks, ["data-older-numbers true", "data-older-numbers false"]);
});

test("who listens for values hears of them once all are there, and then whenever one changes", () => {
  const { shelf } = opened();
  const heard = [];
  const stop = shelf.listen(["facts", "findings"], (...values) => heard.push(values.join(" ")));
  shelf.put("facts", "f1");
  shelf.put("findings", "s1");
  shelf.put("other", "o");
  shelf.put("facts", "f2");
  stop();
  shelf.put("facts", "f3");
  assert.deepEqual(heard, ["f1 s1", "f2 s1"]);
});
