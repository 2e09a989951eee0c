// One entry of the browser's history for each page. Streamlit adds one for every change of the address, also where a fader was
// moved, and a run of the page writes the present address again, so nobody could get back to the page before. Here a change that
// stays on its page takes the place of the present entry; undo goes from move to move.
function keepOneEntryAPage(history, location) {
  const add = history.pushState.bind(history), replace = history.replaceState.bind(history);
  history.pushState = (state, title, address) => {
    const stays = address === undefined || address === null || new URL(address, location.href).pathname === location.pathname;
    (stays ? replace : add)(state, title, address);
  };
}
