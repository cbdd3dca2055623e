// Counts what is chosen while a role is edited.
const form = document.querySelector('[data-role]');
if (form) {
  const said = form.querySelector('[data-chosen]');
  form.addEventListener('change', () => {
    const n = form.querySelectorAll('input[name="perm"]:checked').length;
    said.textContent = n === 1 ? '1 permission chosen' : `${n} permissions chosen`;
  });
}
