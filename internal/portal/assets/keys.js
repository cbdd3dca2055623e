// The keys of a member: list, create, change, usage. It shows what the session's capabilities and ceiling let, and the server decides.
import { button, choice, dialog, el, field } from './build.js';
import { words } from './words.js';
import { keyForm } from './create.js';

// over says that the session has ended, or what else went wrong.
export const over = (main, error) => {
  const say = words('en');
  const wrong = error && error.status !== 401;
  main.replaceChildren(el('h1', {}, say('overTitle')), el('p', {}, wrong ? say('wrong', { why: error.message }) : say('overHelp')));
  main.setAttribute('aria-busy', 'false');
};

class Keys {
  constructor(main, session, { server, locale, ended }) {
    Object.assign(this, { main, session, server, ended });
    this.locale = Intl.DateTimeFormat.supportedLocalesOf([locale]).length ? locale : 'en';
    this.say = words(this.locale);
    this.status = el('p', { role: 'status', class: 'sr' });
    this.list = el('ul', { class: 'keys' });
    this.next = null;
  }

  when(instant) { return new Intl.DateTimeFormat(this.locale, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(instant)); }

  number(n) { return new Intl.NumberFormat(this.locale).format(n); }

  // act does something that the server may refuse, and says how it ended.
  async act(run, within) {
    within?.querySelector('[role=alert]')?.remove();
    try {
      await run();
      return true;
    } catch (e) {
      if (e.status === 401) {
        within?.close?.();
        await this.ended();
        return false;
      }
      const why = [e.message, ...(e.details ?? []).map((d) => `${d.field}: ${d.message}`)].join(' · ');
      (within ?? this.main).prepend(el('p', { role: 'alert', class: 'wrong' }, this.say('wrong', { why })));
      return false;
    }
  }

  async begin() {
    const { say } = this;
    const may = (c) => this.session.may(c);
    const [me, catalogue] = await Promise.all([this.session.call('GET', '/me'), may('keys:create') ? this.session.call('GET', '/permissions') : { permissions: [] }]);
    Object.assign(this, { me, catalogue: catalogue.permissions });
    this.search = el('input', { type: 'search', maxlength: '255', oninput: () => this.soon() });
    this.only = choice([['', say('all')], ['active', say('active')], ['disabled', say('disabled')], ['expired', say('expired')]]);
    this.only.addEventListener('change', () => this.load());
    this.more = button(say('more'), () => this.load(true), { hidden: true });
    this.empty = el('p', { class: 'quiet', hidden: true });
    document.documentElement.lang = 'en';
    document.title = say('title');
    this.main.replaceChildren(
      el('header', {}, el('h1', {}, say('title')), may('keys:create') && button(say('create'), () => this.create(), { class: 'main' })),
      el('div', { class: 'filters' }, field(say('search'), this.search), field(say('status'), this.only)),
      this.status, this.list, this.empty, this.more);
    this.main.setAttribute('aria-busy', 'false');
    if (may('keys:read')) await this.load();
    else this.main.querySelector('.filters').remove();
  }

  soon() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.load(), 200);
  }

  load(more = false) {
    const asked = (this.asked = (this.asked ?? 0) + 1);
    return this.act(async () => {
      const query = new URLSearchParams({ limit: '25' });
      if (this.search.value.trim()) query.set('search', this.search.value.trim());
      if (this.only.value) query.set('status', this.only.value);
      if (more && this.next) query.set('cursor', this.next);
      const { apiKeys, pagination } = await this.session.call('GET', `/api-keys?${query}`);
      if (asked !== this.asked) return; // a later question is on its way
      this.next = pagination.nextCursor;
      const rows = apiKeys.map((k) => this.row(k));
      more ? this.list.append(...rows) : this.list.replaceChildren(...rows);
      this.more.hidden = !pagination.hasNext;
      this.empty.hidden = this.list.children.length > 0 || pagination.hasNext;
      this.empty.textContent = this.say(query.has('search') || query.has('status') ? 'noMatch' : 'none');
    });
  }

  standing(k) {
    if (!k.isActive) return 'disabled';
    return k.expiresAt && new Date(k.expiresAt) <= new Date() ? 'expired' : 'active';
  }

  row(k) {
    const { say } = this;
    const may = (c) => this.session.may(c);
    const standing = this.standing(k);
    const facts = [say('created', { when: this.when(k.createdAt) }), k.lastUsedAt ? say('used', { when: this.when(k.lastUsedAt) }) : say('unused'),
      k.expiresAt ? say('expires', { when: this.when(k.expiresAt) }) : say('never')];
    const earlier = k.previousKeys.map((p) => el('p', { class: p.lastUsedAt ? 'warn' : 'quiet' },
      say(p.lastUsedAt ? 'earlierUsed' : 'earlier', { when: this.when(p.expiresAt), used: p.lastUsedAt && this.when(p.lastUsedAt) })));
    const named = { 'aria-label': undefined };
    const act = (label, run, extra = {}) => button(label, run, { ...named, 'aria-label': `${label}: ${k.name}`, ...extra });
    return el('li', { 'data-key': k.id },
      el('div', { class: 'what' }, el('h2', {}, k.name), el('span', { class: `badge ${standing}` }, say(standing)),
        el('span', { class: 'badge' }, say(k.environment))),
      el('p', {}, el('code', {}, k.key)), el('p', { class: 'quiet' }, facts.join(' · ')), earlier,
      el('div', { class: 'acts' },
        may('usage:read') && act(say('details'), () => this.usage(k)),
        may('keys:rotate') && act(say('rotate'), () => this.rotate(k)),
        may('keys:disable') && (k.isActive ? act(say('disable'), () => this.disable(k)) : act(say('enable'), () => this.enable(k))),
        may('keys:delete') && act(say('remove'), () => this.remove(k), { class: 'danger' })));
  }

  // changed asks anew and says that it is done.
  async changed() {
    if (this.session.may('keys:read')) await this.load();
    this.status.textContent = this.say('done');
  }

  create() {
    const form = keyForm(this, async (body) => {
      await this.act(async () => {
        const made = await this.session.call('POST', '/api-keys', body, { 'Idempotency-Key': form.once });
        box.close();
        await this.changed();
        this.reveal(made.key);
      }, box);
    });
    const box = dialog(this.main, this.say('create'), form.element);
  }

  // reveal shows a value once. It is in no attribute, and gone with the dialog.
  reveal(value) {
    const { say } = this;
    const api = `${this.server}/api/v2/api-keys/self`;
    const programs = [
      ['curl', `curl -H "Authorization: Bearer $API_KEY" ${api}`],
      ['JavaScript', `const answer = await fetch("${api}", {\n  headers: { Authorization: \`Bearer \${process.env.API_KEY}\` },\n});\nconsole.log(await answer.json());`],
      ['Python', `import os, urllib.request\n\nrequest = urllib.request.Request("${api}",\n    headers={"Authorization": "Bearer " + os.environ["API_KEY"]})\nprint(urllib.request.urlopen(request).read().decode())`],
      ['Go', `request, _ := http.NewRequest("GET", "${api}", nil)\nrequest.Header.Set("Authorization", "Bearer "+os.Getenv("API_KEY"))\nanswer, err := http.DefaultClient.Do(request)`],
    ];
    const copyable = (text, label) => {
      const copy = button(say('copy'), async () => {
        await navigator.clipboard.writeText(text);
        copy.textContent = say('copied');
      }, { 'aria-label': `${say('copy')}: ${label}` });
      return el('div', { class: 'copyable' }, el('pre', { tabindex: '0', 'aria-label': label, role: 'region' }, el('code', {}, text)), copy);
    };
    const box = dialog(this.main, say('revealTitle'), el('p', {}, say('revealOnce')), copyable(value, say('revealTitle')),
      el('h3', {}, say('envLine')), copyable(`API_KEY=${value}`, say('envLine')), el('h3', {}, say('firstRequest')),
      programs.map(([name, text]) => el('details', {}, el('summary', {}, name), copyable(text, name))),
      el('div', { class: 'acts' }, button(say('close'), () => box.close(), { class: 'main' })));
  }

  // confirm asks before something that stops requests.
  confirm(title, help, label, k, run, extra = []) {
    const { say } = this;
    const last = k.lastUsedAt ? say('lastUse', { when: this.when(k.lastUsedAt) }) : say('lastUseNever');
    const box = dialog(this.main, say(title, { name: k.name }), el('p', {}, say(help)), el('p', { class: 'quiet' }, last), extra,
      el('div', { class: 'acts' }, button(say('cancel'), () => box.close()),
        button(say(label), () => this.act(async () => {
          const then = await run();
          box.close();
          await this.changed();
          then?.();
        }, box), { class: label === 'remove' ? 'danger main' : 'main' })));
  }

  // update changes one key. The API takes many, each for itself: the refusal of the one is its answer.
  async update(change) {
    const { errors } = await this.session.call('PUT', '/api-keys', { apiKeys: [change] });
    if (errors.length) throw Object.assign(new Error(errors[0].error), { details: errors[0].details });
  }

  disable(k) { this.confirm('disableTitle', 'disableHelp', 'disable', k, () => this.update({ id: k.id, isActive: false })); }

  async enable(k) {
    if (await this.act(() => this.update({ id: k.id, isActive: true }))) await this.changed();
  }

  remove(k) { this.confirm('removeTitle', 'removeHelp', 'remove', k, async () => { await this.session.call('DELETE', `/api-keys/${k.id}`); }); }

  rotate(k) {
    const { say } = this;
    const overlap = choice([['0', say('overlapNone')], ['3600', say('overlapHour')], ['86400', say('overlapDay')], ['604800', say('overlapWeek')]], '86400');
    const once = crypto.randomUUID();
    this.confirm('rotateTitle', 'rotateHelp', 'rotate', k, async () => {
      const made = await this.session.call('POST', `/api-keys/${k.id}/rotate`, { overlapSeconds: Number(overlap.value) }, { 'Idempotency-Key': once });
      return () => this.reveal(made.key);
    }, [field(say('overlap'), overlap)]);
  }

  async usage(k) {
    const { say } = this;
    await this.act(async () => {
      const [usage, { refusals }] = await Promise.all([this.session.call('GET', `/api-keys/${k.id}/usage?granularity=day`),
        this.session.call('GET', `/api-keys/${k.id}/refusals?limit=20`)]);
      const sums = {};
      for (const day of usage.series) for (const [code, n] of Object.entries(day.denied)) sums[code] = (sums[code] ?? 0) + n;
      const accepted = usage.series.reduce((n, day) => n + day.verified, 0);
      const rows = [[say('accepted'), accepted], ...Object.entries(sums).map(([code, n]) => [`${say('refused')}: ${code}`, n])];
      const most = Math.max(1, ...rows.map(([, n]) => n));
      const table = el('table', {}, el('tbody', {}, rows.map(([label, n]) => el('tr', {}, el('th', { scope: 'row' }, label),
        el('td', {}, this.number(n)), el('td', { 'aria-hidden': 'true' }, el('meter', { min: '0', max: String(most), value: String(n), 'aria-label': label }))))));
      const box = dialog(this.main, say('usageTitle', { name: k.name }),
        usage.total ? [el('p', {}, say('usageTotal', { n: this.number(usage.total) })), table] : el('p', {}, say('usageNone')),
        el('h3', {}, say('refusals')),
        refusals.length ? el('ul', { class: 'refusals' }, refusals.map((r) => el('li', {}, el('strong', {}, r.code), ` ${r.why} `,
          el('span', { class: 'quiet' }, [this.when(r.at), r.ip && say('from', { ip: r.ip })].filter(Boolean).join(' '))))) : el('p', { class: 'quiet' }, say('refusalsNone')),
        el('div', { class: 'acts' }, button(say('close'), () => box.close(), { class: 'main' })));
    });
  }
}

// show puts the keys of a session into an element.
export const show = (main, session, env) => new Keys(main, session, env).begin();
