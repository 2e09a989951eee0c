// Where the keyboard goes on when what it was on is gone, as at the end of the tour: a browser gives such a focus to nobody, and the
// next Tab begins at the top of the page. Here it goes to the same element drawn again, to another one in the same place, or else to
// the next one after that place; on another page to its heading.
const FOCUS_WAIT_MS = 250; // in which an element may be drawn again
const FOCUSABLE = "a[href], button:not(:disabled), input:not(:disabled), textarea, [tabindex='0']";

function keepFocus(page, later = setTimeout) {
  let places = [], timer;
  const main = () => page.querySelector("[data-testid=stMain]");
  const shown = (node) => node.getClientRects().length > 0;
  const placesOf = (node) => {
    const found = [];
    for (let one = node; one && one !== main(); one = one.parentElement) found.push(...[...one.classList].filter((name) => name.startsWith("st-key-")));
    return found;
  };
  const isLost = () => places.length > 0 && (!page.activeElement || page.activeElement === page.body);
  page.addEventListener("focusin", ({ target }) => { places = main()?.contains(target) ? placesOf(target) : []; });
  page.addEventListener("pointerdown", () => { places = []; }, true); // whoever uses the mouse needs no focus
  const mend = () => {
    timer = undefined;
    if (!isLost()) return;
    const all = [...main().querySelectorAll(FOCUSABLE)].filter(shown);
    const here = places.map((name) => main().querySelector(`.${name}`)).filter(Boolean);
    const inside = here.map((place) => all.find((one) => place.contains(one))).find(Boolean);
    const after = here[0] && all.find((one) => here[0].compareDocumentPosition(one) & 4); // follows it
    (inside ?? after ?? page.getElementById("page-title"))?.focus({ preventScroll: true });
  };
  new MutationObserver(() => { if (isLost()) timer ??= later(mend, FOCUS_WAIT_MS); }).observe(page.body, { subtree: true, childList: true });
  return mend;
}
