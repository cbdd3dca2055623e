// The form for a new key: what the ceiling of the session lets, with the rest shown and the reason beside it.
import { button, choice, code, dialog, el, field, painted } from './build.js';
import { reveal } from './reveal.js';

const daysOf = (seconds) => Math.floor(seconds / 86400);

// expiries are the choices of the element, as far as the ceiling lets. A day is a number, never is ''.
export const expiries = ({ say, options, session }) => {
  const ceiling = session.about.ceiling;
  const most = ceiling.maxLifetimeSeconds ? daysOf(ceiling.maxLifetimeSeconds) : Infinity;
  const list = options.expirations.filter((n) => n !== '' && n <= most).map((n) => [String(n), say('days', { n })]);
  if (most === Infinity && options.expirations.includes('')) list.push(['', say('noExpiry')]);
  if (!list.length && most > 0) list.push(most === Infinity ? ['', say('noExpiry')] : [String(most), say('days', { n: most })]);
  return list;
};

// until is the end that a choice of expiries means, a minute early, since clocks differ; undefined is never.
export const until = (days) => (days ? new Date(Date.now() + Number(days) * 86400e3 - 60e3).toISOString() : undefined);

const expiryChoice = (view) => {
  const list = expiries(view);
  const wanted = String(view.options.defaultExpiration);
  return choice(list, list.some(([v]) => v === wanted) ? wanted : list.at(-1)?.[0]);
};

// picker is the choice of permissions, in groups, with a search. Those that cannot be given say why.
const picker = ({ say, session }, { permissions, grantable }) => {
  const offered = session.about.ceiling.permissions;
  const chosen = el('p', { class: 'quiet', role: 'status' });
  const boxes = [];
  const option = (p) => {
    const free = grantable.has(p.name);
    const box = el('input', { type: 'checkbox', value: p.name, disabled: !free, onchange: () => count() });
    boxes.push(box);
    const why = free ? p.description : say(offered && !offered.includes(p.name) ? 'notOffered' : 'notHeld');
    return el('label', { class: 'permission', 'data-text': `${p.name} ${p.description}`.toLowerCase() }, box,
      el('span', {}, code(p.name), ' ', el('small', {}, why)));
  };
  const groups = Object.entries(Object.groupBy(permissions, (p) => p.resource))
    .map(([resource, list]) => el('fieldset', { 'data-resource': resource }, el('legend', {}, resource), list.map(option)));
  const count = () => {
    chosen.textContent = say('chosen', { n: boxes.filter((b) => b.checked).length, all: grantable.size });
  };
  const set = (which) => {
    for (const b of boxes) b.checked = !b.disabled && which(b.value);
    count();
  };
  const find = el('input', { type: 'search', oninput: () => {
    for (const g of groups) {
      const lines = [...g.querySelectorAll('.permission')];
      for (const l of lines) l.hidden = !l.dataset.text.includes(find.value.trim().toLowerCase());
      g.hidden = lines.every((l) => l.hidden);
    }
  } });
  count();
  return {
    set,
    element: el('div', { class: 'picker' }, el('h3', {}, say('permissions')),
      el('div', { class: 'acts' }, button(say('noPermissions'), () => set(() => false)),
        button(say('readPermissions'), () => set((p) => /(:|-)read$/.test(p))),
        button(say('allPermissions'), () => set(() => true))),
      chosen, field(say('findPermission'), find),
      el('div', { class: 'groups', tabindex: '0', role: 'group', 'aria-label': say('permissions') }, groups)),
    chosen: () => boxes.filter((b) => b.checked).map((b) => b.value),
  };
};

// limits are the fields of limits and networks, closed unless the ceiling asks for networks, or a key is changed: k.
export const limits = ({ say, session }, k) => {
  const ceiling = session.about.ceiling;
  const limit = (name) => {
    const most = ceiling.rateLimit[name];
    const now = k?.rateLimit[name];
    return el('input', { type: 'number', min: '1', max: String(Math.max(most ?? 1e9, now ?? 1)), inputmode: 'numeric',
      value: String(now ?? ''), placeholder: most ? String(most) : say('unlimited') });
  };
  const inputs = { requestsPerMinute: limit('requestsPerMinute'), requestsPerDay: limit('requestsPerDay') };
  const needed = ceiling.requireAllowedIps && (!k || k.allowedIps.length > 0);
  const networks = el('textarea', { rows: '2', required: needed, spellcheck: false, dir: 'ltr' }, k?.allowedIps.join('\n'));
  const lines = () => networks.value.split(/\s+/).filter(Boolean);
  const number = (input) => (input.value ? Number(input.value) : null);
  return {
    element: el('details', { open: needed || Boolean(k) }, el('summary', {}, say('limits')),
      field(say('minute'), inputs.requestsPerMinute), field(say('day'), inputs.requestsPerDay),
      field(say('networks'), networks, say(needed ? 'networksNeeded' : 'networksHelp'))),
    into: (body) => {
      const given = Object.entries(inputs).filter(([, input]) => input.value).map(([name, input]) => [name, number(input)]);
      if (given.length) body.rateLimit = Object.fromEntries(given);
      if (lines().length) body.allowedIps = lines();
    },
    changes: (body) => {
      const other = Object.entries(inputs).map(([name, input]) => [name, number(input)]).filter(([name, n]) => n !== k.rateLimit[name]);
      if (other.length) body.rateLimit = Object.fromEntries(other);
      if (lines().join() !== k.allowedIps.join()) body.allowedIps = lines();
    },
  };
};

// keyForm is the form. given fills in its name and permissions; submit gets the body of the request.
const keyForm = (view, granted, given, submit, cancel) => {
  const { say, session } = view;
  const name = el('input', { required: true, maxlength: '255', autocomplete: 'off', value: given.name ?? '', dir: 'auto' });
  const environments = session.about.ceiling.environments ?? ['live', 'test'];
  const environment = choice(environments.map((e) => [e, say(e)]));
  const expiry = expiryChoice(view);
  const permissions = picker(view, granted);
  if (given.permissions) permissions.set((p) => given.permissions.includes(p));
  const more = limits(view);
  const body = () => {
    const out = { name: name.value, environment: environment.value, permissions: permissions.chosen() };
    if (expiry.value) out.expiresAt = until(expiry.value);
    more.into(out);
    return out;
  };
  const send = el('button', { class: 'main', part: 'button button-main' }, say('create'));
  const form = el('form', { part: 'form', onsubmit: async (e) => {
    e.preventDefault();
    send.disabled = true;
    await submit(body());
    send.disabled = false;
  } });
  form.append(...[field(say('name'), name), view.shows('environment') && field(say('environment'), environment),
    field(say('expiry'), expiry), permissions.element, view.shows('limits') && more.element,
    el('div', { class: 'acts' }, cancel && button(say('cancel'), cancel), send)].filter(Boolean));
  return form;
};

// creation makes a key by one request, which is repeated under one name until it has an answer.
const creation = (view, after) => {
  const once = crypto.randomUUID();
  return (box) => async (body) => {
    await view.act(async () => {
      const made = await view.session.call('POST', '/api-keys', body, { 'Idempotency-Key': once });
      after();
      await view.changed('key-created', made.apiKey.id);
      reveal(view, made.apiKey.id, made.key);
    }, box());
  };
};

// askCreate opens the form in a dialog.
export const askCreate = (view, given = {}) => view.act(async () => {
  const granted = await view.grants();
  await painted();
  const run = creation(view, () => box.close());
  const form = keyForm(view, granted, given, run(() => box), () => box.close());
  const box = dialog(view.root, view.say('create'), form);
});

// createForm is the form by itself. It is a new one after each key.
export const createForm = (view) => {
  const place = el('div', {});
  const load = (given = {}) => view.act(async () => {
    if (!view.may('keys:create')) {
      place.replaceChildren(el('p', { class: 'quiet' }, view.say('notAllowed')));
      return;
    }
    const granted = await view.grants();
    place.replaceChildren(keyForm(view, granted, given, creation(view, () => {})(() => place)));
  });
  return { load: () => load(), fill: load, element: [el('header', { part: 'header' }, view.title()), place] };
};
