// The form for a key: a preset fills the tree for as long as it is chosen, a choice of one's own starts empty, search narrows the tree, and
// the server says in plain words what would be made, while it is being filled in.
const form = document.querySelector('[data-newkey]');
const tree = form.querySelector('[data-tree]');
const boxes = [...tree.querySelectorAll('input[name="perm"]')];
const like = form.querySelector('[data-like]');
const on = form.querySelector('[data-on]');
const presets = form.elements.preset;

form.querySelector('[data-tree-tools]').hidden = false;
for (const e of form.querySelectorAll('[data-preview]')) e.hidden = true;

const counts = () => {
  for (const branch of tree.querySelectorAll('details')) {
    const own = [...branch.querySelectorAll('input')];
    const chosen = own.filter((b) => b.checked).length;
    const count = branch.querySelector('[data-count]');
    count.textContent = chosen ? `${chosen} of ${own.length}` : `${own.length}`;
    count.classList.toggle('some', chosen > 0);
  }
  const n = boxes.filter((b) => b.checked).length;
  const words = n === 1 ? '1 permission' : `${n} permissions`;
  form.querySelector('[data-chosen]').textContent = `${words} chosen`;
  form.querySelector('[data-footer]').textContent = words;
};

const arrange = () => {
  like.hidden = presets.value !== 'like';
  on.hidden = form.elements.expiry.value !== 'on';
};

// own are the boxes that were ticked by hand. They are kept while a preset is looked at.
let own = form.elements.was.value === 'chosen' ? boxes.filter((b) => b.checked) : [];
form.elements.was.value = 'chosen'; // from here on the ticks are those that count
const tick = (wanted) => {
  for (const b of boxes) b.checked = !b.disabled && wanted(b);
  counts();
};
const fill = () => {
  const preset = presets.value;
  if (preset === 'all') tick(() => true);
  else if (preset === 'read') tick((b) => 'read' in b.dataset);
  else if (preset === 'chosen') tick((b) => own.includes(b));
  else tick(() => false); // until the server has said what the other key may do
};

// refill makes the tree that of another owner.
const refill = (said) => {
  for (const b of boxes) {
    const why = said.why[b.value] ?? '';
    const label = b.closest('label');
    let place = label.querySelector('.why');
    if (why && !place) {
      place = document.createElement('span');
      place.className = 'why';
      label.querySelector('.hint').append(' ', place);
    }
    if (place) place.textContent = why;
    label.classList.toggle('no', Boolean(why));
    b.disabled = Boolean(why);
    if (why) b.checked = false;
  }
  own = own.filter((b) => !b.disabled);
  const preset = new Set(said.preset);
  if (presets.value === 'chosen') tick((b) => own.includes(b));
  else tick((b) => preset.has(b.value));
};

form.addEventListener('change', (event) => {
  const field = event.target;
  if (field.name === 'perm') {
    presets.value = 'chosen';
    own = boxes.filter((b) => b.checked);
    counts();
  }
  if (field.name === 'preset') fill();
  if (field.name === 'user') {
    form.querySelector('[data-holds]').textContent = field.value === form.dataset.me ? 'I hold' : 'they hold';
    later(0);
  }
  arrange();
});

form.querySelector('#find').addEventListener('input', (event) => {
  const wanted = event.target.value.toLowerCase().split(/[\s:]+/).filter(Boolean); // in any order
  for (const branch of tree.querySelectorAll('details')) {
    const name = branch.querySelector('.name').textContent.toLowerCase();
    let any = false;
    for (const leaf of branch.querySelectorAll('label')) {
      const match = wanted.every((word) => `${name}:${leaf.textContent}`.toLowerCase().includes(word));
      leaf.hidden = !match;
      any ||= match;
    }
    branch.hidden = !any;
    branch.open = wanted.length > 0 && any;
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
  const body = new URLSearchParams(new FormData(form));
  const answer = await fetch(form.action, { method: 'POST', body, headers: { Accept: 'application/json' } });
  if (mine !== asked || !answer.ok) return;
  const said = await answer.json();
  if (said.tree) refill(said);
  if (!form.elements.name.value.trim()) say(['Give the key a name, and see here in plain words what it will be.'], 'quiet');
  else if (said.problem) say([said.problem], 'error');
  else say(said.summary);
  for (const place of form.querySelectorAll('[data-error]')) {
    const field = place.dataset.error;
    place.textContent = said.errors[field] ?? '';
    form.elements[field]?.setAttribute?.('aria-invalid', String(Boolean(said.errors[field]) && touched.has(field)));
  }
  curl.textContent = said.curl;
  form.querySelector('[data-same]').hidden = !said.curl;
};

const later = (wait) => {
  clearTimeout(timer);
  timer = setTimeout(summarise, wait);
};

form.addEventListener('input', (event) => {
  if (event.target.id === 'find') return;
  touched.add(event.target.name);
  later(200);
});

arrange();
counts();
summarise();
