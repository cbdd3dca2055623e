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

const heads = new WeakMap(); // first parts of proofs, by the pair that signs them

// headOf gives the first part of each proof by a key. It names the public half.
const headOf = (key) => {
  if (!heads.has(key)) {
    heads.set(key, crypto.subtle.exportKey('jwk', key.publicKey)
      .then(({ kty, crv, x, y }) => segment({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } })));
  }
  return heads.get(key);
};

// makeKey makes a key pair whose private half cannot be read by any script. The first proof finds its head ready.
export const makeKey = async () => {
  const key = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
  await headOf(key);
  return key;
};

const prove = async (key, method, url, token) => {
  const pair = await key;
  const head = await headOf(pair);
  const htu = url.split(/[?#]/)[0];
  const claims = { htm: method, htu, iat: Math.floor(Date.now() / 1000), jti: crypto.randomUUID() };
  if (token) claims.ath = base64url(await crypto.subtle.digest('SHA-256', text.encode(token)));
  const signed = `${head}.${segment(claims)}`;
  const by = { name: 'ECDSA', hash: 'SHA-256' };
  return `${signed}.${base64url(await crypto.subtle.sign(by, pair.privateKey, text.encode(signed)))}`;
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
  #first; // the first page of keys with its size, until anything else is asked

  // key is a pair, or the promise of one: it is awaited where something is signed.
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

  #take({ portalSession, token, expiresAt, firstPage }) {
    this.#token = token;
    this.about = portalSession;
    this.#first = firstPage && { size: firstPage.pagination.limit, page: firstPage };
    return { token, expiresAt, about: portalSession };
  }

  // takeFirst takes the first page of keys out of the session, for another document.
  takeFirst() {
    const page = this.#first?.page;
    this.#first = undefined;
    return page;
  }

  // resume goes on with a token that was kept, and with the first page of keys where that was kept, too.
  resume({ token, about }, firstPage) {
    this.#take({ portalSession: about, token, firstPage });
  }

  async exchange(clientSecret) {
    const at = `${this.#base}/portal-sessions/exchange`;
    return this.#take(await ask(this.#key, 'POST', at, { body: { clientSecret } }));
  }

  async renewByKey() {
    return this.#take(await ask(this.#key, 'POST', `${this.#base}/portal-sessions/${this.id}/renew`));
  }

  may(capability) { return this.about.capabilities.includes(capability); }

  // lookAhead asks for the first page of keys before there is a list for it.
  lookAhead(size) {
    if (!this.may('keys:read')) return;
    const page = this.call('GET', `/api-keys?limit=${size}`);
    page.catch(() => {}); // the list says it
    this.#first = { size, page };
  }

  // firstPage gives the first page of keys: the one of the exchange, or of lookAhead, where nothing was asked since.
  firstPage(size) {
    const first = this.#first;
    this.#first = undefined;
    return first?.size === size ? first.page : this.call('GET', `/api-keys?limit=${size}`);
  }

  async call(method, path, body, headers) {
    this.#first = undefined;
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
