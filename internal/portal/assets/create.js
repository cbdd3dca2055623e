// The form for a new key: what the ceiling of the session lets, with the rest shown and the reason beside it.
import { button, choice, el, field } from './build.js';

const daysOf = (seconds) => Math.floor(seconds / 86400);

// expiries are the presets that the ceiling lets.
const expiries = (say, ceiling) => {
  const most = ceiling.maxLifetimeSeconds ? daysOf(ceiling.maxLifetimeSeconds) : Infinity;
  const list = [7, 30, 90, 365].filter((n) => n <= most).map((n) => [String(n), say('days', { n })]);
  if (most === Infinity) list.push(['', say('noExpiry')]);
  else if (most > 0 && !list.some(([n]) => Number(n) === most)) list.push([String(most), say('days', { n: most })]);
  return list;
};

// picker is the choice of permissions, in groups, with a search. Those that cannot be given say why.
const picker = ({ say, catalogue, me, session }) => {
  const offered = session.about.ceiling.permissions;
  const grantable = new Set(me.grantable);
  const chosen = el('p', { class: 'quiet', role: 'status' });
  const boxes = [];
  const groups = Object.entries(Object.groupBy(catalogue, (p) => p.resource)).map(([resource, list]) => el('fieldset', { 'data-resource': resource },
    el('legend', {}, resource), list.map((p) => {
      const free = grantable.has(p.name);
      const box = el('input', { type: 'checkbox', value: p.name, disabled: !free, onchange: () => count() });
      boxes.push(box);
      const why = free ? p.description : say(offered && !offered.includes(p.name) ? 'notOffered' : 'notHeld');
      return el('label', { class: 'permission', 'data-text': `${p.name} ${p.description}`.toLowerCase() }, box, el('span', {}, el('code', {}, p.name), ' ', el('small', {}, why)));
    })));
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
    element: el('div', { class: 'picker' }, el('h3', {}, say('permissions')),
      el('div', { class: 'acts' }, button(say('noPermissions'), () => set(() => false)), button(say('readPermissions'), () => set((p) => /(:|-)read$/.test(p))),
        button(say('allPermissions'), () => set(() => true))),
      chosen, field(say('findPermission'), find), el('div', { class: 'groups', tabindex: '0', role: 'group', 'aria-label': say('permissions') }, groups)),
    chosen: () => boxes.filter((b) => b.checked).map((b) => b.value),
  };
};

// keyForm is the form, and once is the name under which its one request is repeated.
export const keyForm = (keys, submit) => {
  const { say, session } = keys;
  const ceiling = session.about.ceiling;
  const name = el('input', { required: true, maxlength: '255', autocomplete: 'off' });
  const environment = choice((ceiling.environments ?? ['live', 'test']).map((e) => [e, say(e)]));
  const expiry = choice(expiries(say, ceiling), ceiling.maxLifetimeSeconds ? undefined : '90');
  const limit = (most) => el('input', { type: 'number', min: '1', max: String(most ?? 1e9), inputmode: 'numeric', placeholder: most ? String(most) : say('unlimited') });
  const minute = limit(ceiling.rateLimit.requestsPerMinute);
  const day = limit(ceiling.rateLimit.requestsPerDay);
  const networks = el('textarea', { rows: '2', required: ceiling.requireAllowedIps, spellcheck: 'false' });
  const permissions = picker(keys);
  const read = () => {
    const body = { name: name.value, environment: environment.value, permissions: permissions.chosen() };
    if (expiry.value) body.expiresAt = new Date(Date.now() + Number(expiry.value) * 86400e3 - 60e3).toISOString();
    const rateLimit = {};
    if (minute.value) rateLimit.requestsPerMinute = Number(minute.value);
    if (day.value) rateLimit.requestsPerDay = Number(day.value);
    if (minute.value || day.value) body.rateLimit = rateLimit;
    const lines = networks.value.split(/\s+/).filter(Boolean);
    if (lines.length) body.allowedIps = lines;
    return body;
  };
  const form = el('form', { onsubmit: async (e) => {
    e.preventDefault();
    send.disabled = true;
    await submit(read());
    send.disabled = false;
  } });
  const send = el('button', { class: 'main' }, say('create'));
  const more = el('details', { open: ceiling.requireAllowedIps }, el('summary', {}, say('limits')), field(say('minute'), minute), field(say('day'), day),
    field(say('networks'), networks, say(ceiling.requireAllowedIps ? 'networksNeeded' : 'networksHelp')));
  form.append(field(say('name'), name), field(say('environment'), environment), field(say('expiry'), expiry), permissions.element, more,
    el('div', { class: 'acts' }, button(say('cancel'), () => form.closest('dialog').close()), send));
  return { element: form, once: crypto.randomUUID() };
};
