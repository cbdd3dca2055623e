// How much a key is used, by outcome, and why its latest refusals were.
import { choice, code, dialog, el, field } from './build.js';

const outcomes = (view, series) => {
  const { say } = view;
  const sums = {};
  for (const day of series) for (const [c, n] of Object.entries(day.denied)) sums[c] = (sums[c] ?? 0) + n;
  const accepted = series.reduce((n, day) => n + day.verified, 0);
  const rows = [[say('accepted'), accepted], ...Object.entries(sums).map(([c, n]) => [`${say('refused')}: ${c}`, n])];
  const most = Math.max(1, ...rows.map(([, n]) => n));
  return el('table', {}, el('tbody', {}, rows.map(([label, n]) => el('tr', {}, el('th', { scope: 'row' }, label),
    el('td', {}, view.number(n)), el('td', { 'aria-hidden': 'true' },
      el('meter', { min: '0', max: String(most), value: String(n), 'aria-label': label }))))));
};

// reason says a code of the decision engine in words. English is the engine's own, which tells more.
const reason = (view, r) => (!view.locale.startsWith('en') && view.say.has(`why_${r.code}`) ? view.say(`why_${r.code}`) : r.why);

const refusalLine = (view, r) => el('li', {}, el('strong', {}, code(r.code)), ' ', el('span', {}, reason(view, r)), ' ',
  el('span', { class: 'quiet' }, view.when(r.at), ' ', r.ip && view.say('from', { ip: r.ip })));

// gauges show what is left of the limits of a key, and of those that all keys of the workspace share, and when it returns.
const gauges = (view, left) => {
  const { say } = view;
  const row = (name) => {
    const w = left.limits[name];
    if (!w) return undefined;
    const back = w.remaining < w.limit && say('leftBack', { when: view.when(w.resetAt) });
    return el('tr', {}, el('th', { scope: 'row' }, say(`left_${name}`)),
      el('td', {}, say('leftOf', { n: w.remaining, limit: w.limit }), back && el('small', {}, ' ', back)),
      el('td', { 'aria-hidden': 'true' }, el('meter', { min: '0', max: String(w.limit), low: String(w.limit / 10),
        optimum: String(w.limit), value: String(w.remaining), 'aria-label': say(`left_${name}`) })));
  };
  const rows = ['minute', 'day', 'workspaceMinute', 'workspaceDay'].map(row).filter(Boolean);
  if (!rows.length) return [];
  return [el('h3', {}, say('left')), el('table', { class: 'left', part: 'limits' }, el('tbody', {}, rows)),
    left.retryAt && el('p', { class: 'warn' }, say('leftRetry', { when: view.when(left.retryAt) })),
    left.counting === 'leased' && el('p', { class: 'quiet' }, say('leftLeased'))];
};

// limitsOf asks what is left. A server of the release before cannot tell.
const limitsOf = (view, k) => view.session.call('GET', `/api-keys/${k.id}/limits`).catch((error) => {
  if (error.status === 404) return { limits: {} };
  throw error;
});

// usageOf asks about the usage of a key, and gives the elements that show it.
const usageOf = async (view, k) => {
  const { say } = view;
  const [usage, { refusals }, left] = await Promise.all([
    view.session.call('GET', `/api-keys/${k.id}/usage?granularity=day`),
    view.session.call('GET', `/api-keys/${k.id}/refusals?limit=20`), limitsOf(view, k)]);
  const shown = gauges(view, left);
  return [
    ...shown, shown.length > 0 && el('h3', {}, say('details')),
    el('p', {}, usage.total ? say('usageTotal', { n: usage.total }) : say('usageNone')),
    usage.total > 0 && outcomes(view, usage.series),
    ...(view.shows('refusals') ? [el('h3', {}, say('refusals')),
      refusals.length ? el('ul', { class: 'refusals' }, refusals.map((r) => refusalLine(view, r)))
        : el('p', { class: 'quiet' }, say('refusalsNone'))] : []),
  ].filter(Boolean);
};

export const showUsage = (view, k) => view.act(async () => {
  const shown = await usageOf(view, k);
  const box = dialog(view.root, view.say('usageTitle', { name: k.name }), ...shown, view.closer(() => box));
});

// usageForm is the usage of one key after the other, chosen by name.
export const usageForm = (view) => {
  const { say } = view;
  const shown = el('div', { part: 'usage' });
  const which = choice([]);
  const empty = el('p', { class: 'quiet', hidden: true, part: 'empty' }, say('none'));
  let keys = [];
  let asked = 0;
  const show = () => view.act(async () => {
    const mine = ++asked;
    const k = keys.find((one) => one.id === which.value);
    const made = k ? await usageOf(view, k) : [];
    if (mine !== asked) return; // a later choice is on its way
    shown.replaceChildren(...(k ? [view.heading(1, { class: 'sr' }, say('usageTitle', { name: k.name }))] : []), ...made);
  });
  which.addEventListener('change', show);
  const label = field(say('whichKey'), which);
  const load = async () => {
    if (!view.may('keys:read') || !view.may('usage:read')) {
      shown.replaceChildren(el('p', { class: 'quiet' }, say('notAllowed')));
      label.hidden = true;
      return;
    }
    const read = await view.act(async () => {
      const chosen = which.value;
      ({ apiKeys: keys } = await view.session.firstPage(view.options.pageSize));
      which.replaceChildren(...keys.map((k) => el('option', { value: k.id }, k.name)));
      if (keys.some((k) => k.id === chosen)) which.value = chosen;
      label.hidden = !keys.length;
      empty.hidden = keys.length > 0;
    });
    if (read) await show();
  };
  return { load, element: [el('header', { part: 'header' }, view.title()), label, empty, shown] };
};
