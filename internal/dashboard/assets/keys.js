// Choosing many keys: all of a page at once, and how many they are. Without this the boxes and buttons work all the same.
const form = document.querySelector('[data-bulk]');
if (form) {
  const boxes = [...form.querySelectorAll('input[name="id"]')];
  const all = form.querySelector('[data-all]');
  const bar = form.querySelector('[data-bulk-bar]');
  const count = form.querySelector('[data-bulk-count]');
  const update = () => {
    const chosen = boxes.filter((b) => b.checked).length;
    if (all) {
      all.checked = chosen === boxes.length && chosen > 0;
      all.indeterminate = chosen > 0 && chosen < boxes.length;
    }
    if (bar) bar.hidden = chosen === 0;
    if (count) count.textContent = chosen === 1 ? '1 key chosen' : `${chosen} keys chosen`;
  };
  if (all) {
    form.querySelector('[data-all-label]').hidden = false;
    all.addEventListener('change', () => {
      for (const b of boxes) b.checked = all.checked;
      update();
    });
  }
  form.addEventListener('change', update);
  addEventListener('pageshow', update);
  update();
}
