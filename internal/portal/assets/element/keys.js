// The list of keys, with search, status, and what can be done to each.
import { button, choice, code, el, field, named, painted } from './build.js';
import { askCreate } from './create.js';
import { askDisable, askRemove, askRotate, enable } from './change.js';
import { askEdit } from './edit.js';
import { showUsage } from './usage.js';

const standing = (k) => {
  if (!k.isActive) return 'disabled';
  return k.expiresAt && new Date(k.expiresAt) <= new Date() ? 'expired' : 'active';
};

const facts = ({ say }, k, when) => [
  say('created', { when: when(k.createdAt) }),
  k.lastUsedAt ? say('used', { when: when(k.lastUsedAt) }) : say('unused'),
  k.expiresAt ? say('expires', { when: when(k.expiresAt) }) : say('never'),
].join(' · ');

// earlier tells of values that a rotation replaced: whether one is still in use, and from which network.
const earlier = (view, k) => k.previousKeys.map((p) => {
  const word = p.lastUsedFrom ? 'earlierFrom' : p.lastUsedAt ? 'earlierUsed' : 'earlier';
  return view.dated(el('p', { class: p.lastUsedAt ? 'warn' : 'quiet' }), (when) => view.say(word,
    { when: when(p.expiresAt), used: p.lastUsedAt && when(p.lastUsedAt), network: p.lastUsedFrom }));
});

const acts = (view, k) => {
  const { say } = view;
  const act = (word, run, properties = {}) => button(say(word), run,
    { 'aria-label': `${say(word)}: ${k.name}`, 'data-act': word, ...properties });
  const toggle = () => (k.isActive ? act('disable', () => askDisable(view, k)) : act('enable', () => enable(view, k)));
  return [
    view.may('usage:read') && view.shows('usage') && act('details', () => showUsage(view, k)),
    view.may('keys:update') && view.shows('edit') && act('edit', () => askEdit(view, k)),
    view.may('keys:rotate') && act('rotate', () => askRotate(view, k)),
    view.may('keys:disable') && toggle(),
    view.may('keys:delete') && act('remove', () => askRemove(view, k), { class: 'danger' }),
  ];
};

const row = (view, k) => {
  const badge = (kind) => el('span', { class: `badge ${kind}`, part: `badge badge-${kind}` }, view.say(kind));
  return el('li', { 'data-key': k.id, part: 'key' },
    el('div', { class: 'what' }, view.heading(1, { part: 'key-name' }, named(k.name)), badge(standing(k)),
      view.shows('environment') && badge(k.environment)),
    el('p', {}, code(k.key)), view.dated(el('p', { class: 'quiet' }), (when) => facts(view, k, when)), earlier(view, k),
    el('div', { class: 'acts' }, acts(view, k)));
};

// keepFocus runs a change of the list, and gives the focus back to the button, or the key, that had it.
const keepFocus = (list, change) => {
  const had = list.getRootNode().activeElement;
  const held = list.contains(had) && [had.closest('[data-key]')?.dataset.key, had.dataset.act];
  change();
  if (!held) return;
  const again = list.querySelector(`[data-key="${CSS.escape(held[0] ?? '')}"]`);
  (again?.querySelector(`[data-act="${CSS.escape(held[1] ?? '')}"]`) ?? again?.querySelector('button'))?.focus();
};

// atFirst is how many rows are painted before the others are made: more than a screen shows.
const atFirst = () => Math.max(4, Math.ceil(innerHeight / 140));

export const listForm = (view) => {
  const { say } = view;
  const list = el('ul', { class: 'keys', part: 'keys' });
  const empty = el('p', { class: 'quiet', hidden: true, part: 'empty' });
  const search = el('input', { type: 'search', maxlength: '255', oninput: () => soon() });
  const only = choice([['', say('all')], ['active', say('active')], ['disabled', say('disabled')], ['expired', say('expired')]]);
  const more = button(say('more'), () => load(true), { hidden: true });
  only.addEventListener('change', () => load());
  let waiting;
  let next = null;
  let asked = 0;
  let rest = []; // keys of the first page whose rows are not made yet
  const soon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(load, 200);
  };
  const finish = () => {
    list.append(...rest.map((k) => row(view, k)));
    rest = [];
  };
  const load = (further) => {
    const mine = ++asked;
    if (!view.may('keys:read')) return undefined;
    return view.act(async () => {
      const { pageSize } = view.options;
      const query = new URLSearchParams({ limit: String(pageSize) });
      if (search.value.trim()) query.set('search', search.value.trim());
      if (only.value) query.set('status', only.value);
      if (further === true && next) query.set('cursor', next);
      const { apiKeys, pagination } = await ([...query.keys()].length > 1
        ? view.session.call('GET', `/api-keys?${query}`) : view.session.firstPage(pageSize));
      if (mine !== asked) return; // a later question is on its way
      finish();
      const soonest = list.children.length ? apiKeys.length : atFirst(); // a list that is replaced keeps its height
      const rows = apiKeys.slice(0, soonest).map((k) => row(view, k));
      keepFocus(list, () => (query.has('cursor') ? list.append(...rows) : list.replaceChildren(...rows)));
      rest = apiKeys.slice(soonest);
      painted().then(() => {
        view.settle();
        finish();
      });
      next = pagination.nextCursor;
      more.hidden = !pagination.hasNext;
      empty.hidden = list.children.length > 0 || pagination.hasNext;
      empty.textContent = say(query.has('search') || query.has('status') ? 'noMatch' : 'none');
    });
  };
  const filters = [view.shows('search') && field(say('search'), search), view.shows('status') && field(say('status'), only)];
  const create = view.may('keys:create') && view.shows('create') && button(say('create'), () => askCreate(view), { class: 'main' });
  return {
    load: () => load(),
    element: [
      el('header', { part: 'header' }, view.title(), create),
      view.may('keys:read') && el('div', { class: 'filters', part: 'filters' }, filters),
      list, empty, more,
    ],
  };
};
