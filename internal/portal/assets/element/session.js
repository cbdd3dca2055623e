// The session of a page: a key that cannot leave the browser, a token that is bound to it (RFC 9449), and calls with a
// proof for each.
const text = new TextEncoder();

const base64url = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
  .replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');

const segment = (value) => base64url(text.encode(JSON.stringify(value)));

// Refused is an answer that is no success. code is the API's; details name the fields.
export class Refused extends Error {
  constructor(status, error) {
    super(error?.message ?? `status ${status}`);
    this.status = status;
    this.code = error?.code ?? '';
    this.details = error?.details ?? [];
  }
}

// makeKey makes a key pair whose private half cannot be read by any script.
export const makeKey = () => crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false,
  ['sign', 'verify']);

const shown = new WeakMap(); // public halves, by their pair

const publicHalf = (key) => {
  if (!shown.has(key)) shown.set(key, crypto.subtle.exportKey('jwk', key.publicKey));
  return shown.get(key);
};

const prove = async (key, method, url, token) => {
  const { kty, crv, x, y } = await publicHalf(key);
  const htu = url.split(/[?#]/)[0];
  const claims = { htm: method, htu, iat: Math.floor(Date.now() / 1000), jti: crypto.randomUUID() };
  if (token) claims.ath = base64url(await crypto.subtle.digest('SHA-256', text.encode(token)));
  const signed = `${segment({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } })}.${segment(claims)}`;
  const by = { name: 'ECDSA', hash: 'SHA-256' };
  return `${signed}.${base64url(await crypto.subtle.sign(by, key.privateKey, text.encode(signed)))}`;
};

const ask = async (key, method, url, { token, body, headers = {} } = {}) => {
  const head = { ...headers, DPoP: await prove(key, method, url, token) };
  if (token) head.Authorization = `DPoP ${token}`;
  if (body !== undefined) head['Content-Type'] = 'application/json';
  const answer = await fetch(url, { method, headers: head, body: body === undefined ? undefined : JSON.stringify(body),
    cache: 'no-store', credentials: 'omit', redirect: 'error', referrerPolicy: 'no-referrer' });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, said.error);
  return said.data.result;
};

// Session calls the operations of a portal session. renew gives it a new token where the old one has ended; without
// it, or where it fails, the session is over.
export class Session {
  #key;
  #token = '';
  #base;
  #renewing;

  constructor(server, id, key) {
    this.#key = key;
    this.server = server;
    this.at(id);
  }

  // at goes over to another portal session: a platform that is asked again makes a new one.
  at(id) {
    this.id = id;
    this.#base = `${this.server}/portal/${id}/api/v2`;
  }

  #take({ portalSession, token, expiresAt }) {
    this.#token = token;
    this.about = portalSession;
    return { token, expiresAt, about: portalSession };
  }

  // resume goes on with a token that was kept.
  resume(kept) {
    this.#token = kept.token;
    this.about = kept.about;
  }

  async exchange(clientSecret) {
    const at = `${this.#base}/portal-sessions/exchange`;
    return this.#take(await ask(this.#key, 'POST', at, { body: { clientSecret } }));
  }

  async renewByKey() {
    return this.#take(await ask(this.#key, 'POST', `${this.#base}/portal-sessions/${this.id}/renew`));
  }

  may(capability) { return this.about.capabilities.includes(capability); }

  async call(method, path, body, headers) {
    const used = this.#token;
    const once = () => ask(this.#key, method, this.#base + path, { token: this.#token, body, headers });
    try {
      return await once();
    } catch (e) {
      if (e.status !== 401 || !this.renew) throw e;
    }
    if (used === this.#token) { // calls that are refused at the same time renew once
      this.#renewing ??= this.renew().finally(() => { this.#renewing = undefined; });
      await this.#renewing;
    }
    return once();
  }
}
