// The form for a key. The ticks of permissions are what counts: a segment ticks, a tick sets the segment, chips and search show ticks. The
// server says, while the form is being filled in, what the owner can have, when the key expires, and what is wrong.
const form = document.querySelector('[data-newkey]');
const picks = form.querySelector('[data-picks]');
const rows = [...picks.querySelectorAll('[data-resource]')].map((row) => ({
  row,
  name: row.dataset.resource,
  segments: [...row.querySelectorAll('.segment input')],
  boxes: [...row.querySelectorAll('.leaves input')],
}));
const boxes = rows.flatMap((r) => r.boxes);
const find = form.querySelector('#find');
const filled = form.querySelector('[data-filled]');
const undo = filled.querySelector('button');

form.querySelector('[data-search]').hidden = false;
for (const e of form.querySelectorAll('[data-preview]')) e.hidden = true;

const powers = ['identifies only', 'read only', 'can change things', 'can delete', 'can administer'];
const belongs = (box, segment) => 'read' in box.dataset || (segment === 'write' && 'write' in box.dataset);
const standsFor = (r, segment) => r.boxes.filter((b) => !b.disabled && belongs(b, segment));
const chosen = () => boxes.filter((b) => b.checked);
const equal = (a, b) => a.length === b.length && a.every((x) => b.includes(x));

// settle sets the segment of a resource to what is ticked. Custom stays while it is worked on.
const settle = (r, keep) => {
  const at = r.segments.find((s) => s.checked)?.value;
  const on = r.boxes.filter((b) => b.checked);
  const read = standsFor(r, 'read');
  const write = standsFor(r, 'write');
  let segment = 'custom';
  if (on.length === 0) segment = 'none';
  else if (equal(on, read)) segment = 'read';
  else if (equal(on, write)) segment = 'write';
  if (keep && at === 'custom') segment = 'custom';
  for (const s of r.segments) {
    s.checked = s.value === segment;
    if (s.value === 'read') s.disabled = read.length === 0;
    if (s.value === 'write') s.disabled = write.length === read.length;
  }
};

const chip = (text, off) => {
  const item = document.createElement('li');
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = text;
  button.setAttribute('aria-label', `Remove ${text}`);
  button.addEventListener('click', () => {
    for (const b of off) b.checked = false;
    refresh();
    find.focus();
  });
  item.append(button);
  return item;
};

// refresh shows what is ticked: chips, by resource where they are many, and the footer.
const refresh = (keep = false) => {
  for (const r of rows) settle(r, keep);
  const on = chosen();
  const place = form.querySelector('[data-chips]');
  const made = on.length <= 8 ? on.map((b) => chip(b.value, [b])) : rows.flatMap((r) => {
    const own = r.boxes.filter((b) => b.checked);
    if (own.length < 2) return own.map((b) => chip(b.value, [b]));
    const segment = r.segments.find((s) => s.checked).value;
    return [chip(`${r.name}: ${segment === 'custom' ? own.length : segment}`, own)];
  });
  place.replaceChildren(...made);
  place.hidden = on.length === 0;
  const most = Math.max(0, ...on.map((b) => Number(b.dataset.risk)));
  form.querySelector('[data-power]').textContent = on.length === 0 ? 'No permissions yet' : `${on.length === 1 ? '1 permission' : `${on.length} permissions`}, ${powers[most]}`;
};

const tick = (names) => {
  for (const b of boxes) b.checked = !b.disabled && names.has(b.value);
  refresh();
};

// search shows each permission whose name and meaning hold all the words, in any order.
const search = () => {
  const words = find.value.toLowerCase().split(/[\s:]+/).filter(Boolean);
  picks.classList.toggle('find', words.length > 0);
  let matches = 0;
  for (const r of rows) {
    let any = words.length === 0;
    for (const b of r.boxes) {
      const label = b.closest('label');
      const match = words.every((word) => `${b.value} ${label.textContent}`.toLowerCase().includes(word));
      label.classList.toggle('miss', !match);
      if (match && !b.disabled) {
        any = true;
        if (words.length > 0) matches++;
      }
    }
    r.row.classList.toggle('miss', !any);
  }
  const lacked = words.length === 0 ? 0 : boxes.filter((b) => b.disabled && !b.closest('label').classList.contains('miss')).length;
  let said = '';
  if (words.length > 0) said = matches === 1 ? '1 match. Enter chooses it.' : `${matches || 'No'} matches.`;
  if (lacked > 0) said += ` ${lacked} more hidden.`;
  form.querySelector('[data-matches]').textContent = said;
};

find.addEventListener('input', search);
find.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && find.value) {
    find.value = '';
    search();
    event.stopPropagation();
  }
  if (event.key !== 'Enter') return;
  event.preventDefault(); // a search creates no key
  const match = boxes.filter((b) => !b.disabled && !b.closest('.miss'));
  if (find.value.trim() && match.length === 1) {
    match[0].checked = !match[0].checked;
    refresh(true);
  }
});

// refill makes the permissions those of another owner.
const refill = (said) => {
  const why = new Set(said.lacks.flatMap((group) => group.items.map((item) => item.name)));
  const gone = [];
  for (const b of boxes) {
    b.disabled = why.has(b.value);
    b.closest('label').hidden = b.disabled;
    if (b.disabled && b.checked) {
      b.checked = false;
      gone.push(b.value);
    }
  }
  for (const r of rows) r.row.hidden = r.boxes.every((b) => b.disabled);
  form.querySelector('[data-lacks]').replaceChildren(...said.lacks.map((group) => {
    const details = document.createElement('details');
    details.className = 'lacks';
    const summary = document.createElement('summary');
    summary.textContent = group.text;
    const list = document.createElement('ul');
    list.append(...group.items.map((item) => {
      const li = document.createElement('li');
      const name = document.createElement('code');
      name.textContent = item.name;
      li.append(name, ` ${item.text}`);
      return li;
    }));
    details.append(summary, list);
    return details;
  }));
  form.querySelector('[data-everything]').textContent = `Everything ${said.owner}`;
  form.elements.shown.value = said.shown;
  if (gone.length > 0) tell(`Taken out, because ${said.lacks[0].text.split(': ').slice(1).join(': ')}: ${gone.join(', ')}.`);
  refresh(true);
  search();
};

let before;
const tell = (text, names) => {
  filled.querySelector('div').textContent = text;
  filled.hidden = !text;
  undo.hidden = !names;
  before = names;
};

const ask = async (extra = {}) => {
  const body = new URLSearchParams(new FormData(form));
  for (const [name, value] of Object.entries(extra)) body.set(name, value);
  const answer = await fetch(form.action, { method: 'POST', body, headers: { Accept: 'application/json' } });
  return answer.ok ? answer.json() : undefined;
};

const show = (said) => {
  if (said.ends) {
    form.querySelector('[data-ends]').textContent = ` · ${said.ends}`;
    form.querySelector('[data-terms]').textContent = said.terms;
  }
  for (const place of form.querySelectorAll('[data-error]')) {
    const field = place.dataset.error;
    if (field === 'name' && !touched.has('name')) continue;
    place.textContent = said.errors[field] ?? '';
    form.elements[field]?.setAttribute?.('aria-invalid', String(Boolean(said.errors[field])));
  }
  form.querySelector('[data-command]').textContent = said.curl;
  form.querySelector('[data-same]').hidden = !said.curl;
};

const touched = new Set();
let timer;
let asked = 0;
const draft = async () => {
  const mine = ++asked;
  const said = await ask();
  if (!said || mine !== asked) return;
  if (said.shown && said.shown !== form.elements.shown.value) refill(said);
  show(said);
};
const later = (wait) => {
  clearTimeout(timer);
  timer = setTimeout(draft, wait);
};

for (const button of form.querySelectorAll('[data-templates] button')) {
  button.addEventListener('click', async (event) => {
    event.preventDefault();
    const was = new Set(chosen().map((b) => b.value));
    const said = await ask({ do: button.value });
    if (!said) return;
    show(said);
    if (!said.filled) return;
    button.closest('details').open = false;
    tick(new Set(said.names));
    tell(said.filled, was);
    later(0);
  });
}
undo.addEventListener('click', (event) => {
  event.preventDefault();
  if (before) tick(before);
  tell('');
  find.focus();
  later(0);
});

form.addEventListener('change', (event) => {
  const field = event.target;
  if (field.closest('[data-finder]')) return;
  const r = rows.find((one) => one.row.contains(field));
  if (r && field.name !== 'perm' && field.value !== 'custom') {
    const on = field.value === 'none' ? [] : standsFor(r, field.value);
    for (const b of r.boxes) b.checked = on.includes(b);
  }
  if (r) refresh(true);
  later(field.name === 'user' ? 0 : 150);
});
form.addEventListener('input', (event) => {
  if (event.target === find || event.target.closest('[data-finder]')) return;
  touched.add(event.target.name);
  later(200);
});
// A browser that comes back may have kept other choices than the page was made with.
addEventListener('pageshow', () => {
  refresh(true);
  if (form.elements.user && form.elements.user.value !== form.elements.shown.value) later(0);
});

refresh(true);
search();
