// Puts its data onto the shelf, for other elements.
function renderValue({ data }) {
  shelf.put(data.name, data.value);
}
