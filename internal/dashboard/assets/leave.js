// The form that removes a member. Each choice asks the server what follows from it; the button waits for the answer, carries it as a
// sentence, and sends it back: a removal that would do anything else is refused.
const form = document.querySelector('[data-leave]');
const find = (name) => form.querySelector(`[data-${name}]`);
const button = find('fate-button');
const box = find('fate');
let asked = 0;

const element = (tag, className, text) => {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
};

const meter = (width) => {
  const [svg, rect] = ['svg', 'rect'].map((tag) => document.createElementNS('http://www.w3.org/2000/svg', tag));
  svg.setAttribute('class', 'meter');
  svg.setAttribute('height', '6');
  svg.setAttribute('aria-hidden', 'true');
  rect.setAttribute('height', '6');
  rect.setAttribute('width', width);
  svg.append(rect);
  return svg;
};

const row = (key) => {
  const name = element('th', 'key');
  name.scope = 'row';
  const link = element('a', '', key.name);
  link.href = `/keys/${encodeURIComponent(key.id)}`;
  name.append(link, element('span', 'mono', key.masked));
  const uses = element('td', 'uses');
  uses.append(element('span', '', key.uses), meter(key.bar));
  const then = element('td');
  then.append(element('span', `tag ${key.tone}`, key.then));
  if (!key.working) then.append(element('span', 'sub quiet small', 'does not work now'));
  const line = element('tr');
  line.append(name, uses, element('td', 'w1 quiet', key.last), then);
  return line;
};

const tell = (fate) => {
  document.getElementById('problem')?.remove();
  find('fate-summary').textContent = fate.summary;
  find('fate-final').textContent = fate.final;
  find('fate-said').textContent = fate.summary || fate.problem;
  box.hidden = fate.keys.length === 0;
  box.querySelector('tbody').replaceChildren(...fate.keys.map(row));
  const more = find('fate-more');
  more.textContent = fate.more;
  more.hidden = !fate.more;
  const wrong = find('heir-error');
  if (wrong) wrong.textContent = fate.heir || fate.problem;
  button.textContent = fate.button;
  button.value = fate.preview;
  button.disabled = !fate.preview;
};

// arrange ticks the choice that a new owner means. The list of members is there from the start.
const arrange = (field) => {
  if (field?.name === 'heir' && field.value) form.elements.keys.value = 'transfer';
};

const ask = async () => {
  const mine = ++asked;
  button.disabled = true;
  const given = new URLSearchParams({ keys: form.elements.keys.value, heir: form.elements.heir?.value ?? '' });
  if (form.elements.reason.checked) given.set('reason', 'leaked');
  const answer = await fetch(`${form.getAttribute('action')}?${given}`, { headers: { Accept: 'application/json' } }).catch(() => undefined);
  if (mine !== asked) return;
  if (!answer?.ok) { // the page that says why
    location.assign(`${form.getAttribute('action')}?${given}`);
    return;
  }
  const fate = await answer.json();
  if (mine === asked) tell(fate);
};

if (box) {
  form.addEventListener('change', (event) => {
    arrange(event.target);
    ask();
  });
  // A browser that comes back may have kept another choice than the page was made with.
  addEventListener('pageshow', (event) => {
    const chosen = form.elements.keys.value === 'transfer' ? `transfer:${form.elements.heir.value}` : form.elements.keys.value;
    if (event.persisted || !button.value.startsWith(`${chosen} `)) {
      ask();
    }
  });
}
