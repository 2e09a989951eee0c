// Runs the questions for news on the page: over the network, and by runs of the page if these are needed.
const questions = createQuestions(shelf.protocol, {
  // Below the address that the page's own scripts come from, whatever prefix a proxy or the server puts before it.
  question: async (session, signal) => {
    const home = document.querySelector('script[src*="static/js/"]')?.src.split("static/js/")[0] ?? document.baseURI;
    const owed = shelf.protocol.owed(), unsent = shelf.protocol.unsent();
    const body = { known: shelf.protocol.turns(shelf.mounted()), move: owed, edit: unsent?.message, of: unsent?.name };
    const headers = { "x-explorer-page": session, "content-type": "application/json" };
    const response = await fetch(new URL("explorer-news", home), { method: "POST", headers, body: JSON.stringify(body), signal });
    return response.ok ? response.json() : undefined;
  },
  told: (answer) => {
    shelf.taken(answer.taken);
    shelf.told(answer.told);
  },
  run: (what) => ticker.send(what),
  isRunning: () => (document.querySelector("[data-testid=stApp]")?.dataset.testScriptState ?? "notRunning") !== "notRunning",
  now: () => performance.now(),
  later: (callback, ms) => setTimeout(callback, ms),
  never: (timer) => clearTimeout(timer),
});
const ticker = { send: () => {} };

// A tab that is loaded again names the session that it had before, so that its jobs, its undo and all else go on. The server may
// not have noticed yet that the old page is gone, so it is asked again, a few times.
const BEFORE = "pruning-explorer session", AGAIN_MS = [0, 700, 2000, 5000];
const reload = { before: readBefore(), tries: 0 };

function readBefore() {
  try { return sessionStorage.getItem(BEFORE); } catch { return null; } // a browser may forbid it
}

function goOn(session) {
  try { sessionStorage.setItem(BEFORE, session); } catch { return; }
  if (session === reload.before) reload.before = null;
  if (!reload.before || reload.timer || reload.tries >= AGAIN_MS.length) return;
  reload.timer = setTimeout(() => {
    reload.timer = undefined;
    if (reload.before) ticker.send(`continue ${reload.before}`);
  }, AGAIN_MS[reload.tries]);
  reload.tries += 1;
}
shelf.ask = questions.ask;

function renderTicker({ data, setTriggerValue }) {
  ticker.send = (what) => setTriggerValue("tick", what);
  shelf.session(data.session);
  shelf.taken(data.taken);
  questions.drawn(data);
  goOn(data.session);
}
