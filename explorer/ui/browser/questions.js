// When to ask the server for news, and what to do if it does not answer. Nothing here touches the screen or the network:
// `world` does, and a test has its own. The server holds a question until there is news, for two seconds at most.
//
//   idle      nothing is asked; code that waits for something calls ask()
//   asking    one question is on its way; a new one replaces it after a move, and one without an answer is given up
//   drawing   the page was asked to run, which draws the ticker, which asks; if it is not drawn, the question is sent again
//   alone     the server does not answer questions: the page runs from time to time, as long as it says that there is more to
//             come, and at least once for code that waits for something
const ALONE_MS = 1000, APART_MS = 300, BUSY_MS = 50, LOST_MS = 5000, LATE_MS = 20000;
const GIVEN_UP = Symbol("given up");

// world: question(session, signal) -> answer or undefined; told(answer); run(what): asks the page to run; isRunning(): it does;
// now(); later(callback, ms) -> timer; never(timer).
function createQuestions(protocol, world) {
  let page, state = "idle", wanted = false, isWaitedFor = false, way, timer, ran = -Infinity;

  const wait = (next, callback, ms) => {
    state = next;
    world.never(timer);
    timer = callback && world.later(callback, ms);
  };

  const asked = async () => {
    wanted = true;
    if (!page || state === "asking") return;
    wait("asking");
    let answer;
    while (wanted) {
      wanted = false;
      answer = await question();
      if (!answer) break;
      if (answer !== GIVEN_UP) world.told(answer);
      if (answer === GIVEN_UP || (answer.busy && !answer.draw)) wanted = true;
    }
    if (!answer) alone();
    else if (answer.draw) draw("news");
    else wait("idle");
  };

  // Returns the server's answer; GIVEN_UP if a new question replaced this one; nothing if it does not answer.
  const question = async () => {
    const own = way = new AbortController(), session = page.session;
    const limit = world.later(() => { own.late = true; own.abort(); }, LATE_MS);
    try {
      const found = await world.question(session, own.signal);
      return !found || protocol.isOf(session) ? found : GIVEN_UP; // another session may have come meanwhile
    } catch {
      return own.signal.aborted && !own.late ? GIVEN_UP : undefined;
    } finally {
      world.never(limit);
    }
  };

  // Asks the page to run, but not while it is running: a run draws the ticker by itself, and may be that of another page.
  const draw = (what) => {
    const pause = ran + APART_MS - world.now();
    const run = () => {
      if (world.isRunning()) { wait("drawing", run, BUSY_MS); return; }
      ran = world.now();
      wait("drawing", asked, LOST_MS);
      world.run(what);
    };
    wait("drawing", run, Math.max(0, pause));
  };

  const alone = () => {
    if (page.busy || isWaitedFor) wait("alone", () => draw("all"), ALONE_MS);
    else wait("idle");
  };

  return {
    // isFresh: the question on its way does not know the last move, so another one replaces it.
    ask: (isFresh = false) => {
      isWaitedFor = true;
      if (isFresh) way?.abort();
      return asked();
    },
    // A run of the page has drawn the ticker: { session, busy }.
    drawn: (told) => {
      isWaitedFor = false;
      page = told;
      return asked();
    },
    state: () => state,
  };
}
