// A page of a platform, on an origin of its own, with the element in it. Its policy is strict, it is isolated (COOP, COEP),
// and it makes sessions behind a login of its own.
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import { api, expected, setup } from './harness.mjs';

export const keyward = setup.url.replace('127.0.0.1', 'localhost'); // KEYWARD_PUBLIC_URL
export const workspaceId = setup.ids.workspace;
export const all = ['keys:read', 'keys:create', 'keys:update', 'keys:rotate', 'keys:disable', 'keys:delete', 'usage:read'];

// The one line that docs/portal.md asks of a host page's policy is the second of these.
const policy = [
  "default-src 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'",
  `script-src 'self' ${keyward}; connect-src 'self' ${keyward}; frame-src ${keyward}`,
].join('; ');

const document = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A platform</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<script type="module" src="${keyward}/portal/keyward.js"></script><script type="module" src="/host.js"></script></head>
<body><main><h1>A platform</h1><keyward-keys></keyward-keys></main></body></html>`;

const reactDocument = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A platform</title>
<script type="module" src="/react.js"></script></head><body><div id="root"></div></body></html>`;

// reactScript is the page in React with the wrapper of sdk/element. The element itself is a file beside it, as a copy of npm is.
const reactScript = () => execFileSync('../../sdk/element/node_modules/.bin/esbuild', ['react.mjs', '--bundle', '--format=esm',
  '--external:*/keyward.js', '--define:process.env.NODE_ENV="production"', '--log-level=error'],
{ env: { ...process.env, NODE_PATH: '../../sdk/element/node_modules' } });

const script = `
globalThis.heard = [];
const element = document.querySelector('keyward-keys');
for (const type of ['ready', 'error', 'session-expired', 'key-created', 'key-updated', 'key-rotated', 'key-disabled',
  'key-deleted', 'secret-shown', 'secret-copied', 'secret-dismissed']) {
  addEventListener('keyward-' + type, (e) => heard.push([type, JSON.stringify(e.detail), e.composed]));
}
for (const [name, value] of new URLSearchParams(location.search)) element.setAttribute(name, value);
element.fetchSession = async () => {
  const answer = await fetch('/keys-session', { method: 'POST' });
  return answer.ok ? answer.json() : undefined;
};`;

// floorScript is the least that a page of any code does on the way of the element: one key that cannot be exported, one request to
// the platform, one proof, one request with a preflight to the server, and the keys as 25 lines of text.
const floorScript = `
const text = new TextEncoder();
const base64url = (bytes) => new Uint8Array(bytes).toBase64({ alphabet: 'base64url', omitPadding: true });
const segment = (value) => base64url(text.encode(JSON.stringify(value)));
const making = crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
const { portalSession, clientSecret } = await (await fetch('/keys-session', { method: 'POST' })).json();
const pair = await making;
const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', pair.publicKey);
const at = '${keyward}/portal/' + portalSession.id + '/api/v2/portal-sessions/exchange';
const claims = { htm: 'POST', htu: at, iat: Math.floor(Date.now() / 1000), jti: crypto.randomUUID() };
const signed = segment({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } }) + '.' + segment(claims);
const by = { name: 'ECDSA', hash: 'SHA-256' };
const proof = signed + '.' + base64url(await crypto.subtle.sign(by, pair.privateKey, text.encode(signed)));
const answer = await fetch(at, { method: 'POST', headers: { DPoP: proof, 'Content-Type': 'application/json' },
  body: JSON.stringify({ clientSecret }), credentials: 'omit' });
const lines = document.createElement('ul');
lines.className = 'keys';
lines.style.lineHeight = '3'; // more than a screen
for (const k of (await answer.json()).data.result.firstPage.apiKeys) {
  lines.append(Object.assign(document.createElement('li'), { textContent: k.name }));
}
document.querySelector('keyward-keys').attachShadow({ mode: 'open' }).append(lines);
lines.dispatchEvent(new CustomEvent('keyward-ready', { bubbles: true, composed: true }));`;

const floorDocument = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A platform</title>
<script type="module" src="/portal/floor.js"></script></head><body><main><h1>A platform</h1><keyward-keys></keyward-keys></main></body></html>`;

// platform is what the next session is to be; signedOut ends the login, and brief makes its route tell no more than the
// session's id and secret.
export const platform = { signedOut: false, brief: false, session: {}, asked: 0 };

const mint = async () => {
  const { portalSession, clientSecret, url } = await api('POST', '/portal-sessions', {
    workspaceId, userId: 'pia', capabilities: all, allowedOrigins: [platform.origin], ...platform.session,
  });
  return platform.brief ? { portalSession: { id: portalSession.id }, clientSecret, url } : { portalSession, clientSecret, url };
};

const server = createServer(async (request, answer) => {
  const at = new URL(request.url, 'http://host').pathname;
  if (at === '/keys-session' && request.method === 'POST') {
    platform.asked++;
    answer.writeHead(platform.signedOut ? 401 : 200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
    answer.end(platform.signedOut ? '{}' : JSON.stringify(await mint()));
    return;
  }
  const [kind, body] = await {
    '/host.js': () => ['text/javascript', script],
    '/floor': () => ['text/html', floorDocument],
    '/portal/floor.js': () => ['text/javascript', floorScript],
    '/react': () => ['text/html', reactDocument],
    '/react.js': () => ['text/javascript', reactScript()],
    '/keyward.js': async () => ['text/javascript', await (await fetch(`${setup.url}/portal/keyward.js`)).text()],
  }[at]?.() ?? ['text/html', document];
  answer.writeHead(at === '/favicon.ico' ? 404 : 200, {
    'Content-Type': `${kind}; charset=utf-8`, 'Content-Security-Policy': policy,
    'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp',
  });
  answer.end(body);
});

// open starts the platform once, and gives its origin.
let starting;
export const open = () => {
  starting ??= new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      platform.origin = `http://127.0.0.1:${server.address().port}`;
      expected.push(platform.origin);
      server.unref();
      resolve();
    });
  });
  return starting;
};

// at opens the platform's page, or another one of it. attributes are those of the element.
export const at = async (page, session = {}, attributes = {}, path = '/') => {
  await open();
  Object.assign(platform, { session, signedOut: false, brief: false, asked: 0 });
  await page.goto(`${platform.origin}${path}?${new URLSearchParams(attributes)}`);
};
