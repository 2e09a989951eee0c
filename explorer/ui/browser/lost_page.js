// Where a page is left in the moment in which it is ready, Streamlit can lose a part of the next one ("Bad delta path"), and draws
// nothing any more. The tab is then loaded again, and goes on with its session: once in a while, as more would not help.
const LOST = /Bad delta path/, LOADED = "pruning-explorer loaded again", APART_MS = 10_000;

function loadAgainWhereLost(target, browser) {
  target.addEventListener("error", ({ message }) => {
    if (!LOST.test(message)) return;
    try {
      const now = browser.now(), before = Number(browser.storage.getItem(LOADED) ?? -APART_MS);
      if (now - before < APART_MS) return;
      browser.storage.setItem(LOADED, String(now));
    } catch { return; } // a browser may forbid it
    browser.reload();
  });
}
