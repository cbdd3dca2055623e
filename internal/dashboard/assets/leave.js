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

const ways = [['', 'As chosen'], ['stop', 'Stop'], ['keep', 'Keep'], ...(form.elements.heir ? [['transfer', 'Hand over']] : [])];

// choice is the select for a single key.
const choice = (key) => {
  const select = element('select', 'in');
  select.name = `then-${key.id}`;
  for (const [value, text] of ways) select.append(new Option(text, value, false, value === key.own));
  select.setAttribute('aria-label', `What happens to ${key.name} ${key.masked}`);
  return select;
};

const row = (key) => {
  const name = element('th', 'key');
  name.scope = 'row';
  const link = element('a', '', key.name);
  link.href = `/keys/${encodeURIComponent(key.id)}`;
  name.append(link, element('span', 'mono', key.masked));
  const uses = element('td', 'uses');
  uses.append(element('span', '', key.uses), meter(key.bar));
  uses.dataset.label = 'Last 24 hours';
  const then = element('td');
  then.dataset.label = 'Then';
  then.append(element('span', `tag ${key.tone}`, key.then));
  then.firstChild.dataset.then = '';
  if (!key.working) then.append(element('span', 'sub quiet small', 'does not work now'));
  const own = element('td');
  own.dataset.label = 'This key';
  own.append(choice(key));
  const line = element('tr');
  line.dataset.key = key.id;
  const last = element('td', 'w1 quiet', key.last);
  last.dataset.label = 'Last used';
  line.append(name, uses, last, then, own);
  return line;
};

// list shows the keys. Rows that stand already stay, so that the select in use keeps the focus.
const list = (keys) => {
  const body = box.querySelector('tbody');
  const now = [...body.children];
  if (now.length === keys.length && now.every((line, i) => line.dataset.key === keys[i].id)) {
    now.forEach((line, i) => {
      const tag = line.querySelector('[data-then]');
      tag.className = `tag ${keys[i].tone}`;
      tag.textContent = keys[i].then;
    });
    return;
  }
  const held = document.activeElement?.name;
  body.replaceChildren(...keys.map(row));
  if (held?.startsWith('then-')) form.elements[held]?.focus();
};

const tell = (fate) => {
  document.getElementById('problem')?.remove();
  find('fate-summary').textContent = fate.summary;
  find('fate-final').textContent = fate.final;
  find('fate-said').textContent = fate.summary || fate.problem;
  box.hidden = fate.keys.length === 0;
  list(fate.keys);
  const more = find('fate-more');
  more.textContent = fate.more;
  more.hidden = !fate.more;
  const wrong = find('heir-error');
  if (wrong) wrong.textContent = fate.heir || fate.problem;
  button.textContent = fate.button;
  button.value = fate.preview;
  button.disabled = !fate.preview;
};

const single = () => [...box.querySelectorAll('select')].filter((select) => select.value);

// arrange ticks the choice that a new owner means, unless single keys are to go there. The list of members is there from the start.
const arrange = (field) => {
  const meant = single().some((select) => select.value === 'transfer');
  if (field?.name === 'heir' && field.value && !meant) form.elements.keys.value = 'transfer';
};

// chosen is the whole choice in one text, as the server makes it.
const chosen = () => {
  const settle = (way) => (way === 'transfer' ? `transfer:${form.elements.heir.value}` : way);
  const own = single().map((select) => `${select.name.slice('then-'.length)}.${settle(select.value)}`);
  return [settle(form.elements.keys.value), ...own.sort()].join(',');
};

const ask = async () => {
  const mine = ++asked;
  button.disabled = true;
  const given = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  const answer = await fetch(form.getAttribute('action'), {
    method: 'POST',
    headers: { Accept: 'application/json' },
    body: new URLSearchParams([...given, ['do', 'show']]),
  }).catch(() => undefined);
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
    if (event.persisted || !button.value.startsWith(`${chosen()} `)) {
      ask();
    }
  });
}
