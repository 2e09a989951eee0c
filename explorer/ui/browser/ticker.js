// Asks the server for news, until nothing more is to come. What our own elements show is in the answer; for the rest the page
// has to run. Where the server knows no such questions, the page runs now and then while a job does.
const ALONE_MS = 1000, APART_MS = 300;
const ticker = { page: undefined, asking: false, again: false, ticked: 0, timer: undefined };

// anew: the question on its way knows nothing of the last move, so another one takes its place.
shelf.ask = async (anew = false) => {
  ticker.again = true;
  if (anew) ticker.way?.abort();
  if (ticker.asking || !ticker.page) return;
  ticker.asking = true;
  while (ticker.again) {
    ticker.again = false;
    const found = await question();
    if (!found) fallBack();
    for (const [name, { turn, value }] of Object.entries(found?.told ?? {})) shelf.tell(name, turn, value, true);
    if (found?.draw) tick("news");
    else if (found?.busy) ticker.again = true;
  }
  ticker.asking = false;
};

async function question() {
  const known = Object.fromEntries(Object.keys(shelf.drawn).map((name) => [name, shelf.told[name]?.turn ?? 0]));
  const way = ticker.way = new AbortController();
  try {
    const headers = { "x-explorer-page": ticker.page.page, "content-type": "application/json" };
    if ((shelf.values.generation ?? 0) < shelf.owed) headers["x-explorer-move"] = shelf.owed;
    const response = await fetch(ticker.page.path, { method: "POST", headers, body: JSON.stringify(known), signal: way.signal });
    return response.ok ? await response.json() : undefined;
  } catch {
    return way.signal.aborted ? {} : undefined;
  }
}

// The run that this asks for draws the ticker, and so the next question follows it.
function tick(what) {
  clearTimeout(ticker.timer);
  const wait = Math.max(0, ticker.ticked + APART_MS - performance.now());
  ticker.timer = setTimeout(() => { ticker.ticked = performance.now(); ticker.send(what); }, wait);
}

function fallBack() {
  clearTimeout(ticker.timer);
  if (ticker.page.busy) ticker.timer = setTimeout(() => ticker.send("all"), ALONE_MS);
}

function renderTicker({ data, setTriggerValue }) {
  ticker.send = (what) => setTriggerValue("tick", what);
  if (ticker.page?.page !== data.page) { // another session, which counts moves from its own beginning
    shelf.owed = 0;
    shelf.arrive(shelf.values.generation ?? 0);
  }
  ticker.page = data;
  shelf.ask();
}
