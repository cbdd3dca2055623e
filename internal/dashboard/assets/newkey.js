// The form for a key: presets fill the tree, a box that is ticked by hand leaves the preset, search narrows the tree, and the
// server says in plain words what would be made, while it is being filled in.
const form = document.querySelector('[data-newkey]');
const tree = form.querySelector('[data-tree]');
const boxes = [...tree.querySelectorAll('input[name="perm"]')];
const like = form.querySelector('[data-like]');
const on = form.querySelector('[data-on]');
const presets = form.elements.preset;

form.querySelector('[data-tree-tools]').hidden = false;
form.querySelector('[data-preview]').hidden = true;

const counts = () => {
  for (const branch of tree.querySelectorAll('details')) {
    const own = [...branch.querySelectorAll('input')];
    const chosen = own.filter((b) => b.checked).length;
    const count = branch.querySelector('[data-count]');
    count.textContent = chosen ? `${chosen} of ${own.length}` : `${own.length}`;
    count.classList.toggle('some', chosen > 0);
  }
  const n = boxes.filter((b) => b.checked).length;
  form.querySelector('[data-chosen]').textContent = n === 1 ? '1 permission chosen' : `${n} permissions chosen`;
};

const arrange = () => {
  like.hidden = presets.value !== 'like';
  on.hidden = form.elements.expiry.value !== 'on';
};

const fill = () => {
  const preset = presets.value;
  if (preset === 'all') for (const b of boxes) b.checked = !b.disabled;
  if (preset === 'read') for (const b of boxes) b.checked = !b.disabled && 'read' in b.dataset;
  counts();
};

form.addEventListener('change', (event) => {
  const field = event.target;
  if (field.name === 'perm') {
    presets.value = 'chosen';
    counts();
  }
  if (field.name === 'preset') fill();
  arrange();
});

form.querySelector('#find').addEventListener('input', (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  for (const branch of tree.querySelectorAll('details')) {
    const name = branch.querySelector('.name').textContent.toLowerCase();
    let any = false;
    for (const leaf of branch.querySelectorAll('label')) {
      const match = !wanted || `${name}:${leaf.textContent}`.toLowerCase().includes(wanted);
      leaf.hidden = !match;
      any ||= match;
    }
    branch.hidden = !any;
    branch.open = Boolean(wanted) && any;
  }
});

const shown = form.querySelector('[data-summary]');
const curl = form.querySelector('[data-command]');
let timer;
let asked = 0;

const say = (texts, className) => {
  shown.replaceChildren(...texts.map((text) => {
    const p = document.createElement('p');
    p.textContent = text;
    if (className) p.className = className;
    return p;
  }));
};

const touched = new Set();
const summarise = async () => {
  const mine = ++asked;
  if (!form.elements.name.value.trim()) {
    say(['Give the key a name, and see here in plain words what it will be.'], 'quiet');
    return;
  }
  const body = new URLSearchParams(new FormData(form));
  const answer = await fetch(form.action, { method: 'POST', body, headers: { Accept: 'application/json' } });
  if (mine !== asked || !answer.ok) return;
  const said = await answer.json();
  if (said.problem) say([said.problem], 'error');
  else say(said.summary);
  for (const place of form.querySelectorAll('[data-error]')) {
    const field = place.dataset.error;
    place.textContent = said.errors[field] ?? '';
    form.elements[field]?.setAttribute?.('aria-invalid', String(Boolean(said.errors[field]) && touched.has(field)));
  }
  curl.textContent = said.curl;
  form.querySelector('[data-same]').hidden = !said.curl;
};

form.addEventListener('input', (event) => {
  if (event.target.id === 'find') return;
  touched.add(event.target.name);
  clearTimeout(timer);
  timer = setTimeout(summarise, 200);
});

arrange();
counts();
summarise();
