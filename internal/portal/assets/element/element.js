// The custom element <keyward-keys>: keys, create form or usage of the user that a page is open for, within that page.
import { el, fill, painted } from './build.js';
import { css } from './element.css';
import { Session, Refused, makeKey } from './session.js';
import { View, over } from './view.js';
import { warm, words } from './words.js';
import { askCreate } from './create.js';
import { Frame, languageAround, looks } from './frame.js';

// events are the types of the element's events, without the prefix keyward-. None carries a value.
export const events = ['ready', 'error', 'session-expired', 'key-created', 'key-updated', 'key-rotated', 'key-disabled',
  'key-deleted', 'secret-shown', 'secret-copied', 'secret-dismissed'];

const watchEvery = 12000; // milliseconds: the end of a session is seen within 15 seconds while the page is visible

const slowAnswer = 400; // milliseconds after which the page says that it waits

let shared;
const sheet = () => {
  if (!shared) {
    shared = new CSSStyleSheet(); // needs no style-src of the page
    shared.replaceSync(css);
  }
  return shared;
};

const listed = (text) => (text ?? '').split(/[\s,]+/).filter(Boolean);

const dayOf = (text) => (text === 'never' ? '' : Number(text));

const goodDay = (d) => d === '' || (Number.isInteger(d) && d > 0 && d <= 36500);

// optionsOf reads the attributes of an element.
const optionsOf = (element) => {
  const days = listed(element.getAttribute('expirations')).map(dayOf).filter(goodDay);
  const first = dayOf(element.getAttribute('default-expiration') ?? '90');
  const size = Number(element.getAttribute('page-size') ?? 25);
  const view = element.getAttribute('view');
  return {
    view: ['list', 'create', 'usage'].includes(view) ? view : 'list',
    hide: listed(element.getAttribute('hide')),
    expirations: days.length ? days : [7, 30, 90, 365, ''],
    defaultExpiration: goodDay(first) ? first : 90,
    pageSize: Number.isInteger(size) && size > 0 ? Math.min(size, 100) : 25,
    readonly: element.hasAttribute('readonly'),
  };
};

// adopt is the method by which the hosted page gives its element a session that it keeps itself.
export const adopt = Symbol('adopt');

// Base lets the module be loaded where there is no page, such as on a server that renders.
const Base = globalThis.HTMLElement ?? class {};

export class KeywardKeys extends Base {
  static observedAttributes = ['server', 'session', ...looks];

  #root;
  #fetch;
  #messages = {};
  #env; // of the session that is shown
  #view;
  #frame;
  #started = 0; // counts the starts, so that one that was overtaken ends quietly
  #due; // what is to be done in the next microtask
  #watch;
  #document = {}; // language, dir, title and theme

  constructor() {
    super();
    const shadow = this.attachShadow({ mode: 'open' });
    shadow.adoptedStyleSheets = [sheet()];
    this.#root = el('div', { class: 'root', part: 'root' });
    shadow.append(this.#root);
  }

  // fetchSession is a function that asks the platform for a session, and gives the answer of POST /portal-sessions.
  get fetchSession() { return this.#fetch; }

  set fetchSession(fetch) {
    this.#fetch = fetch;
    this.#soon('start');
  }

  // messages replace single words.
  get messages() { return this.#messages; }

  set messages(messages) {
    this.#messages = { ...messages };
    this.#soon('draw');
  }

  connectedCallback() {
    for (const name of ['fetchSession', 'messages']) { // set before the element was defined
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name];
      delete this[name];
      this[name] = value;
    }
    if (!this.#env && !this.#frame) this.#soon('start');
  }

  disconnectedCallback() {
    queueMicrotask(() => this.isConnected || this.#forget()); // unless it only moves
  }

  attributeChangedCallback(name, before, now) {
    if (before !== now) this.#soon(name === 'server' || name === 'session' ? 'start' : 'draw');
  }

  // refresh asks for the data of the form anew.
  async refresh() {
    this.#frame?.call('refresh');
    await this.#view?.refresh();
  }

  // create opens the form for a new key, filled in. The person decides.
  async create({ name, permissions } = {}) {
    const given = {};
    if (name !== undefined) given.name = String(name);
    if (permissions) given.permissions = [...permissions].map(String);
    this.#frame?.call('create', given);
    if (!this.#view?.may('keys:create')) return;
    await (this.#view.form.fill ? this.#view.form.fill(given) : askCreate(this.#view, given));
  }

  // end forgets the token and its key, and says that the session has ended. The platform ends the session itself.
  async end() {
    this.#started++;
    this.#forget();
    await this.#sayOver(new Refused(401));
  }

  // [adopt] shows a session that the hosted page opens and keeps. env: level of the heading, ended (called at its end,
  // reports whether the page goes elsewhere). It gives what the document around is to have.
  async [adopt](open, env) {
    const mine = ++this.#started;
    try {
      const session = await open();
      if (mine === this.#started) await this.#show({ session, ...env });
    } catch (error) {
      if (mine === this.#started) await this.#over(error, env);
    }
    return this.#document;
  }

  #emit(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(`keyward-${type}`, { detail, bubbles: true, composed: true }));
  }

  #soon(what) {
    const idle = !this.#due;
    if (this.#due !== 'start') this.#due = what;
    if (!idle) return;
    queueMicrotask(() => {
      const due = this.#due;
      this.#due = undefined;
      if (!this.isConnected) return;
      if (due === 'start') this.#start();
      else if (this.#frame) this.#frame.look();
      else if (this.#env) this.#show(this.#env);
    });
  }

  #drop() {
    clearInterval(this.#watch);
    this.#frame?.remove();
    this.#frame = this.#view = this.#env = undefined;
    fill(this.#root);
  }

  #forget() {
    this.#drop();
    this.#root.replaceChildren(); // a value that is shown as well
  }

  // #ask asks the platform for a session. A platform that gives none has signed its user out.
  async #ask() {
    let made;
    try {
      if (this.#fetch) {
        made = await this.#fetch();
      } else {
        const answer = await fetch(this.getAttribute('session'),
          { method: 'POST', credentials: 'same-origin', cache: 'no-store' });
        made = answer.ok && await answer.json();
      }
    } catch { /* as no session */ }
    made = made?.data?.result ?? made;
    if (!made?.clientSecret || !made.portalSession?.id) throw new Refused(401);
    return made;
  }

  #server(made) {
    const given = this.getAttribute('server') || (made.url ?? import.meta.url);
    return new URL(given, document.baseURI).origin;
  }

  async #start() {
    if (!this.#fetch && !this.hasAttribute('session')) return undefined;
    const mine = ++this.#started;
    this.#drop();
    this.#root.setAttribute('aria-busy', 'true');
    try {
      const key = makeKey(); // meanwhile, as is all that follows up to the answer
      const made = await this.#ask();
      if (mine !== this.#started) return undefined;
      const server = this.#server(made);
      if (made.portalSession.reveal === 'frame') return await this.#showFrame(made, server);
      const session = new Session(server, made.portalSession.id, key);
      session.about = made.portalSession;
      const exchanged = session.exchange(made.clientSecret);
      const said = this.#words(session); // loaded meanwhile
      const slow = setTimeout(async () => { // what is made now costs a quick answer nothing
        const { say, locale } = await said;
        if (mine !== this.#started || this.#view) return;
        fill(this.#root, el('p', { class: 'quiet', part: 'message' }, say('loading')));
        await painted();
        warm(locale);
      }, slowAnswer);
      try {
        await exchanged.finally(() => clearTimeout(slow));
      } catch (error) { // the platform's answer need not say how the session reveals; a refusal spends nothing
        if (error.status !== 403 || mine !== this.#started) throw error;
        return await this.#showFrame(made, server);
      }
      session.renew = async () => {
        const again = await this.#ask();
        session.at(again.portalSession.id);
        await session.exchange(again.clientSecret);
      };
      return mine === this.#started && await this.#show({ session });
    } catch (error) {
      return mine === this.#started && await this.#over(error);
    }
  }

  #locale(session) { return this.getAttribute('locale') || session?.about?.locale || languageAround(this); }

  #words(session) {
    return words(session?.server ?? this.#server({}), this.#locale(session), this.#messages);
  }

  #dress({ say, language, dir }, set) {
    const theme = this.getAttribute('theme') || set || 'auto';
    this.#document = { language, dir, theme, title: say('title') };
    Object.assign(this.#root, { lang: language, dir });
    this.#root.dataset.theme = theme;
    this.#root.setAttribute('aria-busy', 'false');
  }

  async #show(env) {
    const mine = this.#started;
    const said = await this.#words(env.session);
    if (mine !== this.#started) return;
    this.#env = env;
    this.#dress(said, env.session.about.theme);
    const view = new View({
      root: this.#root, session: env.session, say: said.say, locale: said.locale, options: optionsOf(this),
      level: env.level ?? 2, emit: (type, detail) => this.#emit(type, detail), over: (error) => this.#over(error),
    });
    this.#view = view;
    await view.begin();
    if (this.#view !== view) return; // it ended, or was drawn anew
    if (!env.ready) this.#emit('ready');
    env.ready = true;
    this.#keepWatch(env.session);
  }

  // #keepWatch sees the end of a session that nobody does anything with.
  #keepWatch(session) {
    clearInterval(this.#watch);
    this.#watch = setInterval(() => {
      if (document.visibilityState !== 'visible') return;
      session.call('GET', '/me').catch((error) => {
        if (error.status === 401 && this.#env?.session === session) this.#over(error);
      });
    }, watchEvery);
  }

  async #over(error, env = this.#env) {
    this.#drop();
    if (error.status === 401) this.#emit('session-expired');
    else this.#emit('error', { code: error.code || 'network', status: error.status ?? 0 });
    if (!await env?.ended?.(error)) await this.#sayOver(error, env);
  }

  // #sayOver says why nothing is shown. A page that can ask for another session gets a button for it.
  async #sayOver(error, { level = 2, session } = {}) {
    const said = await this.#words(session);
    this.#dress(said, session?.about?.theme);
    const again = (this.#fetch || this.hasAttribute('session')) && (() => this.#start());
    over(this.#root, said.say, level, error, again);
  }

  async #showFrame(made, server) {
    const said = await this.#words({ server, about: made.portalSession });
    this.#dress(said, made.portalSession.theme);
    this.#frame?.remove();
    this.#frame = new Frame(this, this.#root, made, server, said.say('title'), {
      emit: (type, detail) => this.#emit(type, detail),
      expired: async () => {
        const mine = this.#started;
        try {
          const again = await this.#ask();
          if (mine === this.#started) await this.#showFrame(again, server);
        } catch (error) {
          if (mine === this.#started) await this.#over(error);
        }
      },
    });
  }
}

if (globalThis.customElements && !customElements.get('keyward-keys')) {
  customElements.define('keyward-keys', KeywardKeys);
}
