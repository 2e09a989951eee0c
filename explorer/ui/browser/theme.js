// What Streamlit opens over the page, such as a popover, lies outside of the element that knows the theme. So the whole document gets
// its colour scheme, on which `light-dark()` in our styles depends.
function followTheme(document) {
  const followed = new WeakSet();
  return () => {
    const app = document.querySelector(".stApp");
    if (!app) return;
    const take = () => { document.documentElement.style.colorScheme = getComputedStyle(app).colorScheme; };
    take();
    if (followed.has(app)) return;
    followed.add(app);
    new MutationObserver(take).observe(app, { attributes: true, attributeFilter: ["class"] });
  };
}
