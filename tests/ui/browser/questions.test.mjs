import assert from "node:assert/strict";
import { test } from "node:test";
import { load, promised, turn } from "./scripts.mjs";

const { createProtocol, createQuestions, ALONE_MS, APART_MS, LOST_MS, LATE_MS } = load(
  ["protocol.js", "questions.js"], ["createProtocol", "createQuestions", "ALONE_MS", "APART_MS", "LOST_MS", "LATE_MS"],
);
const NOTHING = { told: {}, taken: 0, draw: false, busy: false };

// A world whose clock a test moves, and whose server it is: `asked` and `heard` are what came of it, `runs` those of the page.
function world() {
  const timers = new Map(), asked = [], heard = [], runs = [];
  let last = 0, clock = 0;
  const found = {
    asked, heard, runs, running: false,
    tell: async (answer) => { asked.at(-1).keep(answer); await turn(); },
    fail: async () => { asked.at(-1).break(new Error("no way")); await turn(); },
    pass: async (ms) => {
      const end = clock + ms;
      for (;;) {
        const [due] = [...timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at);
        if (!due) break;
        timers.delete(due[0]);
        clock = due[1].at;
        due[1].callback();
        await turn();
      }
      clock = end;
    },
  };
  const protocol = createProtocol();
  protocol.begin("one");
  const questions = createQuestions(protocol, {
    question: (session, signal) => {
      const answer = promised();
      signal.addEventListener("abort", () => answer.break(new Error("aborted")));
      asked.push({ session, ...answer });
      return answer.promise;
    },
    told: (answer) => heard.push(answer),
    run: (what) => runs.push(what),
    isRunning: () => found.running,
    now: () => clock,
    later: (callback, ms) => { timers.set(++last, { at: clock + ms, callback }); return last; },
    never: (timer) => timers.delete(timer),
  });
  return { found, protocol, questions };
}

test("nothing is asked before a run of the page has drawn the ticker", async () => {
  const { found, questions } = world();
  questions.ask();
  await turn();
  assert.deepEqual([questions.state(), found.asked.length], ["idle", 0]);
});

test("one question at a time, again while there is more to come, and then no more", async () => {
  const { found, questions } = world();
  questions.drawn({ session: "one", busy: true });
  questions.ask();
  await turn();
  assert.deepEqual([questions.state(), found.asked.length], ["asking", 1]);
  await found.tell({ ...NOTHING, busy: true });
  assert.equal(found.asked.length, 2);
  await found.tell(NOTHING);
  assert.deepEqual([questions.state(), found.asked.length, found.heard.length], ["idle", 2, 2]);
  await found.pass(60_000);
  assert.deepEqual([found.asked.length, found.runs], [2, []]); // at rest nothing is sent
});

test("a move takes the place of the question on its way", async () => {
  const { found, questions } = world();
  questions.drawn({ session: "one", busy: false });
  await turn();
  questions.ask(true);
  await turn();
  assert.deepEqual([questions.state(), found.asked.length], ["asking", 2]);
  await found.tell(NOTHING);
  assert.deepEqual([questions.state(), found.heard.length], ["idle", 1]);
});

test("the page is asked to run, and what it draws asks again", async () => {
  const { found, questions } = world();
  questions.drawn({ session: "one", busy: true });
  await turn();
  await found.tell({ ...NOTHING, draw: true, busy: true });
  await found.pass(APART_MS);
  assert.deepEqual([questions.state(), found.runs], ["drawing", ["news"]]);
  questions.drawn({ session: "one", busy: false });
  await turn();
  assert.equal(questions.state(), "asking");
});

test("runs are apart from one another", async () => {
  const { found, questions } = world();
  for (const count of [1, 2]) {
    questions.drawn({ session: "one", busy: true });
    await turn();
    await found.tell({ ...NOTHING, draw: true });
    await found.pass(count === 1 ? 0 : APART_MS - 1);
    assert.equal(found.runs.length, 1);
  }
  await found.pass(1);
  assert.equal(found.runs.length, 2);
});

test("a page that runs already is not asked to: it may be another page by now", async () => {
  const { found, questions } = world();
  questions.drawn({ session: "one", busy: true });
  await turn();
  found.running = true;
  await found.tell({ ...NOTHING, draw: true });
  await found.pass(5_000);
  assert.deepEqual(found.runs, []);
  questions.drawn({ session: "one", busy: false }); // drawn by that run
  found.running = false;
  await found.pass(1_000);
  assert.deepEqual([questions.state(), found.runs], ["asking", []]);
});

test("a run that never came is asked for again", async () => {
  const { found, questions } = world();
  questions.drawn({ session: "one", busy: true });
  await turn();
  await found.tell({ ...NOTHING, draw: true });
  await found.pass(APART_MS + LOST_MS);
  assert.deepEqual([questions.state(), found.asked.length], ["asking", 2]);
});

test("a move that comes while a run is waited for is asked for at once", async () => {
  const { found, questions } = world();
  questions.drawn({ session: "one", busy: true });
  await turn();
  await found.tell({ ...NOTHING, draw: true });
  questions.ask(true);
  await turn();
  assert.deepEqual([questions.state(), found.asked.length], ["asking", 2]);
});

for (const [name, end] of [["refuses", (found) => found.tell(undefined)], ["cannot be reached", (found) => found.fail()]]) {
  test(`a server that ${name} is left alone while nothing goes on`, async () => {
    const { found, questions } = world();
    questions.drawn({ session: "one", busy: false });
    await turn();
    await end(found);
    await found.pass(60_000);
    assert.deepEqual([questions.state(), found.runs, found.asked.length], ["idle", [], 1]);
  });

  test(`where a server ${name}, the page runs until nothing goes on any more`, async () => {
    const { found, questions } = world();
    questions.drawn({ session: "one", busy: true });
    await turn();
    await end(found);
    for (const busy of [true, true, false]) {
      await found.pass(ALONE_MS + APART_MS);
      questions.drawn({ session: "one", busy });
      await turn();
      await end(found);
    }
    await found.pass(60_000);
    assert.deepEqual([questions.state(), found.runs], ["idle", ["all", "all", "all"]]);
  });

  test(`where a server ${name}, a move has the page run even if nothing went on before`, async () => {
    const { found, questions } = world();
    questions.drawn({ session: "one", busy: false });
    await turn();
    await end(found);
    questions.ask(true);
    await turn();
    await end(found);
    await found.pass(ALONE_MS + APART_MS);
    assert.deepEqual(found.runs, ["all"]);
    questions.drawn({ session: "one", busy: true }); // the measurement of the move
    await turn();
    await end(found);
    await found.pass(ALONE_MS + APART_MS);
    assert.deepEqual(found.runs, ["all", "all"]);
  });
}

test("a server that answers again is asked again", async () => {
  const { found, questions } = world();
  questions.drawn({ session: "one", busy: true });
  await turn();
  await found.fail();
  await found.pass(ALONE_MS);
  questions.drawn({ session: "one", busy: true });
  await turn();
  await found.tell(NOTHING);
  assert.deepEqual([questions.state(), found.heard.length], ["idle", 1]);
});

test("a question that stays without an answer is given up", async () => {
  const { found, questions } = world();
  questions.drawn({ session: "one", busy: true });
  await turn();
  await found.pass(LATE_MS);
  assert.equal(questions.state(), "alone");
  await found.pass(ALONE_MS);
  assert.deepEqual(found.runs, ["all"]);
});

test("an answer to a session that is gone changes nothing, and the new one asks", async () => {
  const { found, protocol, questions } = world();
  questions.drawn({ session: "one", busy: true });
  await turn();
  protocol.begin("two");
  questions.drawn({ session: "two", busy: false });
  await found.tell({ ...NOTHING, told: { cards: { turn: 9, value: {} } } });
  assert.deepEqual(found.heard, []);
  assert.deepEqual(found.asked.map(({ session }) => session), ["one", "two"]);
});

test("two tabs ask for themselves", async () => {
  const tabs = [world(), world()];
  tabs[1].protocol.begin("two");
  for (const [place, { questions }] of tabs.entries()) questions.drawn({ session: ["one", "two"][place], busy: true });
  await turn();
  await tabs[0].found.tell(NOTHING);
  assert.deepEqual(tabs.map(({ questions }) => questions.state()), ["idle", "asking"]);
  assert.deepEqual(tabs.map(({ found }) => found.asked[0].session), ["one", "two"]);
});
