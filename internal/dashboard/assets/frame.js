// What the frame of every page adds: Copy beside ids and masked values, rows that are clickable, and the palette (Ctrl-K). Nothing here is
// needed: each id can be selected, each row has its link, and the palette lists what the navigation has.
const element = (tag, className, text) => {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
};

const said = element('p', 'sr');
said.setAttribute('role', 'status');

// An id is a UUID; a masked value has an ellipsis in its middle; a user's id stands where the page says so.
const copied = /^(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[a-z]+_\w+…\w+)$/;
for (const place of document.querySelectorAll('main code, main .mono, main [data-id]')) {
  const text = place.textContent.trim();
  if (place.closest('pre, label, select, [data-secret]') || !('id' in place.dataset || copied.test(text)) || !navigator.clipboard) continue;
  const button = element('button', 'copyid');
  button.type = 'button';
  button.title = 'Copy';
  button.setAttribute('aria-label', `Copy ${text}`);
  button.addEventListener('click', async (event) => {
    event.preventDefault();
    event.stopPropagation();
    try {
      await navigator.clipboard.writeText(text);
      said.textContent = `Copied ${text}`;
      button.classList.add('done');
    } catch {
      said.textContent = 'Copy by hand';
    }
    setTimeout(() => button.classList.remove('done'), 2000);
  });
  place.append(button);
}

// A row of a table leads where its heading leads.
for (const row of document.querySelectorAll('main tbody tr')) {
  const link = row.querySelector('th[scope="row"] a[href]');
  if (!link) continue;
  row.classList.add('leads');
  row.addEventListener('click', (event) => {
    if (event.target.closest('a, button, input, select, label, summary') || getSelection().toString()) return;
    if (event.ctrlKey || event.metaKey) open(link.href, '_blank', 'noopener');
    else link.click();
  });
}

// The palette.
const opener = document.querySelector('[data-palette]');
if (opener) {
  const dialog = element('dialog', 'palette');
  dialog.setAttribute('aria-label', 'Go to');
  const field = element('input', 'in');
  field.type = 'search';
  field.placeholder = 'Go to a page or a key';
  field.autocomplete = 'off';
  field.setAttribute('role', 'combobox');
  field.setAttribute('aria-label', 'Go to a page or a key');
  field.setAttribute('aria-expanded', 'true');
  field.setAttribute('aria-controls', 'palette-list');
  const list = element('div', 'results');
  list.id = 'palette-list';
  list.setAttribute('role', 'listbox');
  list.setAttribute('aria-label', 'Results');
  dialog.append(field, list);
  document.body.append(dialog, said);

  const pages = [...document.querySelectorAll('nav.main a, .head .actions a[href], [data-palette-entry]')].map((a) => ({ name: a.textContent.trim(), text: '', path: a.getAttribute('href') }));
  if (opener.dataset.create) pages.push({ name: 'Create key', text: '', path: opener.dataset.create });
  let keys = [];
  let at = 0;
  let options = [];
  const show = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const seen = new Set();
    const hits = [...pages.filter((p) => words.every((w) => p.name.toLowerCase().includes(w))), ...keys].filter((p) => !seen.has(p.path) && seen.add(p.path));
    at = Math.min(at, Math.max(0, hits.length - 1));
    options = hits.map((hit, i) => {
      const option = element('a', 'item', hit.name);
      option.href = hit.path;
      option.id = `palette-${i}`;
      option.tabIndex = -1;
      option.setAttribute('role', 'option');
      option.setAttribute('aria-selected', String(i === at));
      if (hit.text) option.append(element('span', 'mono quiet', hit.text));
      return option;
    });
    list.replaceChildren(...options.length ? options : [element('p', 'quiet small', 'Nothing of this name.')]);
    if (options[at]) field.setAttribute('aria-activedescendant', options[at].id);
    else field.removeAttribute('aria-activedescendant');
    options[at]?.scrollIntoView({ block: 'nearest' });
  };
  let asked = 0;
  let timer;
  field.addEventListener('input', () => {
    at = 0;
    show();
    clearTimeout(timer);
    const mine = ++asked;
    timer = setTimeout(async () => {
      const word = field.value.trim();
      const answer = word && opener.dataset.find ? await fetch(`${opener.dataset.find}?q=${encodeURIComponent(word)}`, { headers: { Accept: 'application/json' } }).catch(() => undefined) : undefined;
      if (mine !== asked) return;
      keys = answer?.ok ? await answer.json() : [];
      if (mine === asked) show();
    }, 120);
  });
  field.addEventListener('keydown', (event) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      at = options.length ? (at + (event.key === 'ArrowDown' ? 1 : options.length - 1)) % options.length : 0;
      show();
    } else if (event.key === 'Enter') {
      event.preventDefault();
      options[at]?.click();
    }
  });
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
  const openPalette = () => {
    if (dialog.open) return;
    field.value = '';
    keys = [];
    at = 0;
    dialog.showModal();
    show();
    field.focus();
  };
  opener.hidden = false;
  opener.addEventListener('click', openPalette);
  document.addEventListener('keydown', (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === 'k') {
      event.preventDefault();
      openPalette();
    }
  });
} else {
  document.body.append(said);
}
