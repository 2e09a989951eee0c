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
shelf.ask = questions.ask;

function renderTicker({ data, setTriggerValue }) {
  ticker.send = (what) => setTriggerValue("tick", what);
  shelf.session(data.session);
  shelf.taken(data.taken);
  questions.drawn(data);
}
