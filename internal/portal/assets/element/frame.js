// A session that reveals values in a frame alone is shown in a frame of the server: no script of the page around it
// reads what is there, and none gets the token. The two speak by messages, each with the origin that it is meant for.
import { el } from './build.js';

// properties are the custom properties that a page may set; the frame gets their values.
export const properties = ['font', 'font-mono', 'font-size', 'background', 'surface', 'sunken', 'line', 'edge', 'text',
  'text-soft', 'accent', 'on-accent', 'good', 'bad', 'warn', 'radius'].map((name) => `--keyward-${name}`);

// looks are the attributes that change no session.
export const looks = ['locale', 'theme', 'view', 'hide', 'expirations', 'default-expiration', 'page-size', 'readonly'];

const forwarded = ['ready', 'error', 'key-created', 'key-updated', 'key-rotated', 'key-disabled', 'key-deleted',
  'secret-shown', 'secret-copied', 'secret-dismissed'];

// languageAround is the language of the page where an element stands, or of the browser.
export const languageAround = (element) => element.closest('[lang]')?.lang || navigator.language;

// detailOf copies the fields of an event that there are to be, and no other.
const detailOf = ({ keyId, code, status } = {}) => JSON.parse(JSON.stringify({ keyId, code, status }));

// themeOf is the theme of a page with a value of color-scheme: auto where the person's preference decides.
const themeOf = (scheme) => {
  const dark = /\bdark\b/.test(scheme);
  if (dark && /\blight\b/.test(scheme)) return 'auto';
  return dark ? 'dark' : 'light';
};

// schemeOf is the value of color-scheme that an element has: without a style for it, the one that its document names.
const schemeOf = (style) => (style.colorScheme === 'normal'
  ? document.querySelector('meta[name="color-scheme" i]')?.content : style.colorScheme) ?? '';

export class Frame {
  #element;
  #server;
  #frame;
  #listener;

  // does: emit(type, detail), expired().
  constructor(element, root, made, server, title, does) {
    this.#element = element;
    this.#server = server;
    this.#frame = el('iframe', {
      title, part: 'frame', sandbox: 'allow-scripts allow-same-origin allow-forms', allow: 'clipboard-write',
      referrerpolicy: 'no-referrer', src: `${server}/portal/${made.portalSession.id}#element=${location.origin}`,
    });
    let secret = made.clientSecret;
    let showing = false; // a value, which is not shown again: the frame stays until it is dismissed
    let over = false;
    this.#listener = ({ source, origin, data }) => {
      if (source !== this.#frame.contentWindow || origin !== server || !data) return;
      if (data.keyward === 'listening' && secret) {
        this.#send({ keyward: 'session', clientSecret: secret, look: this.#look() });
        secret = undefined;
      } else if (data.keyward === 'event') {
        if (data.type === 'secret-shown') showing = true;
        if (data.type === 'secret-dismissed') showing = false;
        over ||= data.type === 'session-expired';
        if (forwarded.includes(data.type)) does.emit(data.type, detailOf(data.detail));
        if (over && !showing) does.expired();
      }
    };
    addEventListener('message', this.#listener);
    root.replaceChildren(this.#frame);
  }

  #send(message) { this.#frame.contentWindow?.postMessage(message, this.#server); }

  #look() {
    const style = getComputedStyle(this.#element);
    const attributes = Object.fromEntries(looks.map((name) => [name, this.#element.getAttribute(name)]));
    return {
      attributes,
      page: { language: languageAround(this.#element), theme: themeOf(schemeOf(style)) },
      properties: Object.fromEntries(properties.map((name) => [name, style.getPropertyValue(name).trim()])),
      messages: { ...this.#element.messages },
    };
  }

  look() { this.#send({ keyward: 'look', look: this.#look() }); }

  call(method, given) { this.#send({ keyward: 'call', method, given }); }

  remove() {
    removeEventListener('message', this.#listener);
    this.#frame.remove();
  }
}

// wear puts the look of the page around a frame on the element within it. Language and theme of that page are as those of
// the document: attributes and the session go before them.
export const wear = (element, look) => {
  element.parentElement.lang = String(look?.page?.language ?? '');
  document.documentElement.dataset.page = String(look?.page?.theme);
  for (const name of looks) {
    const value = look?.attributes?.[name];
    if (typeof value === 'string') element.setAttribute(name, value);
    else element.removeAttribute(name);
  }
  for (const name of properties) element.style.setProperty(name, String(look?.properties?.[name] ?? ''));
  element.messages = look?.messages ?? {};
};
