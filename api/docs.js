// The reference can be read without this script. It adds a search, and "Try it", which asks the server of this page.

const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

// --- Search: over the operations of all pages, in the contents. ---

const search = () => {
  const place = document.querySelector('[data-search]');
  const contents = document.querySelector('[data-contents]');
  const input = make('input', { type: 'search', id: 'search', autocomplete: 'off', spellcheck: false });
  const told = make('p', { className: 'told' });
  told.setAttribute('role', 'status');
  const form = make('form', {}, make('label', { htmlFor: 'search', textContent: 'Search operations' }), input, told);
  form.setAttribute('role', 'search');
  const items = [...contents.querySelectorAll('li[data-words]')];
  const texts = items.map((item) => `/api/v2${item.dataset.words} ${item.firstElementChild.hash.slice(1)} ${item.textContent}`.toLowerCase());
  const found = () => items.filter((item) => !item.hidden);
  input.addEventListener('input', () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    items.forEach((item, i) => { item.hidden = !words.every((word) => texts[i].includes(word)); });
    for (const group of contents.querySelectorAll('details > ul > li')) {
      const within = group.querySelectorAll('li');
      group.hidden = words.length > 0 && [...within].every((item) => item.hidden);
    }
    if (words.length) contents.open = true;
    told.textContent = words.length ? `${found().length} of ${items.length} operations` : '';
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const first = found()[0]?.querySelector('a');
    if (input.value && first) location.assign(first.href);
  });
  addEventListener('keydown', (event) => {
    if (event.key === '/' && !/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      input.focus();
    }
  });
  place.append(form);
};

// A link to an operation on the first page, as there was when all was on one page, leads on to its own page.
const follow = () => {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  const link = target && target.matches('.operations > li') && target.querySelector('a');
  if (link) location.replace(link.href);
};

// --- Languages: one choice for the whole page. ---

const languages = () => {
  addEventListener('change', ({ target }) => {
    if (!target.matches('.samples input')) return;
    const top = target.getBoundingClientRect().top;
    for (const other of document.querySelectorAll(`.samples input[value="${target.value}"]`)) other.checked = true;
    scrollBy(0, target.getBoundingClientRect().top - top); // what is above may have grown
  });
};

// --- Try it. ---

let token = ''; // in the memory of this page alone: it is neither stored nor sent elsewhere

const field = (id, name, control, hint) => {
  control.id = id;
  const label = make('label', { htmlFor: id, textContent: name });
  return make('div', { className: 'field' }, label, control, ...(hint ? [make('p', { className: 'hint', textContent: hint })] : []));
};

const parameters = (article) => [...article.querySelectorAll('[data-in]')]
  .map((row) => ({ name: row.querySelector('dt').textContent, where: row.dataset.in, required: !!row.querySelector('strong') }))
  .filter(({ where }) => where === 'path' || where === 'query' || where === 'header');

const show = (answer, status, text) => {
  let shown = text;
  try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* it is not JSON, and is shown as it is */ }
  answer.replaceChildren(make('p', { className: 'status' }, make('strong', { textContent: status })),
    make('pre', { tabIndex: 0 }, make('code', { textContent: shown })));
};

const send = async (article, form, fields, answer) => {
  let path = article.dataset.path;
  const query = new URLSearchParams();
  const headers = new Headers();
  for (const { name, where, input } of fields) {
    const value = input.value.trim();
    if (where === 'path') path = path.replace(`{${name}}`, encodeURIComponent(value));
    else if (value && where === 'query') query.append(name, value);
    else if (value) headers.set(name, value);
  }
  if (token) headers.set('Authorization', `Bearer ${token}`);
  const body = form.querySelector('textarea')?.value.trim();
  if (body) headers.set('Content-Type', article.dataset.type);
  const url = path + (query.size ? `?${query}` : '');
  try {
    // No cookie goes along: what is asked is asked with the token that was typed.
    const response = await fetch(url, { method: article.dataset.method, headers, body: body || undefined, credentials: 'omit', redirect: 'error' });
    show(answer, `${response.status} ${response.statusText}`, await response.text());
  } catch (error) {
    show(answer, 'No answer', String(error.message ?? error));
  }
};

const tryIt = (article) => {
  const id = article.id;
  const secret = make('input', { type: 'password', value: token, autocomplete: 'off', spellcheck: false });
  secret.dataset.token = '';
  secret.addEventListener('input', () => {
    token = secret.value.trim();
    for (const other of document.querySelectorAll('[data-token]')) if (other !== secret) other.value = secret.value;
  });
  const fields = parameters(article).map((p) => ({ ...p, input: make('input', { required: p.where === 'path', autocomplete: 'off', spellcheck: false }) }));
  const answer = make('div', { className: 'answer' });
  answer.setAttribute('role', 'status');
  const button = make('button', { textContent: `Send ${article.dataset.method}`, className: article.dataset.method });
  const form = make('form', { className: 'try' },
    field(`${id}-token`, 'Token', secret, 'A service key, an API key or a person\u2019s token. It stays in the memory of this page.'),
    ...fields.map((p) => field(`${id}-${p.where}-${p.name}`, `${p.name} (${p.where}${p.required ? ', required' : ''})`, p.input)));
  if (article.dataset.type) {
    const example = article.querySelector('[data-body] pre')?.textContent ?? '';
    form.append(field(`${id}-body`, 'Body', make('textarea', { value: example, rows: Math.min(12, example.split('\n').length + 1), spellcheck: false })));
  }
  form.append(button, answer);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    button.disabled = true;
    await send(article, form, fields, answer);
    button.disabled = false;
  });
  return form;
};

const offers = () => {
  for (const article of document.querySelectorAll('article[data-path]')) {
    const open = make('button', { type: 'button', className: 'offer', textContent: 'Try it' });
    open.setAttribute('aria-expanded', 'false');
    open.addEventListener('click', () => {
      const form = article.querySelector('form.try') ?? tryIt(article);
      const shown = form.isConnected && !form.hidden;
      if (!form.isConnected) open.after(form);
      form.hidden = shown;
      open.setAttribute('aria-expanded', String(!shown));
      if (!shown) form.querySelector('input').focus();
    });
    article.querySelector('.samples').after(open);
  }
};

// On a phone the contents would push the page out of sight.
if (matchMedia('(max-width: 63.99rem)').matches) document.querySelector('[data-contents]').open = false;

follow();
search();
languages();
offers();
