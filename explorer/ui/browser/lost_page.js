// Where a page is left in the moment in which it is ready, Streamlit can lose a part of the next one ("Bad delta path"), and draws
// nothing any more; or it removes all that came after the page's head, without an error. The tab is then loaded again, and goes on
// with its session: once in a while, as more would not help.
const LOST = /Bad delta path/, LOADED = "pruning-explorer loaded again", APART_MS = 10_000;
const EMPTY_MS = 3_000, LOOK_MS = 1_000, LEAST = 40; // pixels below the head of a page that shows anything

function loadAgain(browser) {
  try {
    const now = browser.now(), before = Number(browser.storage.getItem(LOADED) ?? -APART_MS);
    if (now - before < APART_MS) return;
    browser.storage.setItem(LOADED, String(now));
  } catch { return; } // a browser may forbid it
  browser.reload();
}

function loadAgainWhereLost(target, browser) {
  target.addEventListener("error", ({ message }) => { if (LOST.test(message)) loadAgain(browser); });
}

// Whether a page at rest shows its head and nothing below it. No page does that on purpose.
function isEmptySheet(page) {
  if (page.querySelector("[data-testid=stApp]")?.dataset.testScriptState !== "notRunning") return false;
  const head = page.querySelector(".page-head"), content = page.querySelector(".stMainBlockContainer")?.firstElementChild;
  return Boolean(head && content) && content.getBoundingClientRect().bottom - head.getBoundingClientRect().bottom < LEAST;
}

// Looks now and then; returns the function that looks.
function loadAgainWhereEmpty(page, browser) {
  let since;
  const look = () => {
    if (!isEmptySheet(page)) since = undefined;
    else if (browser.now() - (since ??= browser.now()) >= EMPTY_MS) loadAgain(browser);
  };
  browser.every(LOOK_MS, look);
  return look;
}
