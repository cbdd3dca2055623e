// The element <keyward-keys> in a page of another origin.
import { api, looks, same, setup, shot, story, violations, visit, want } from './harness.mjs';
import { all, at, keyward, platform, workspaceId } from './host.mjs';

const role = setup.ids.member;
const person = (userId) => api('PUT', `/workspaces/${workspaceId}/members/${userId}`,
  { email: `${userId}@acme.example`, displayName: setup.hostile.slice(0, 100), roleId: role });

const key = (userId, name, more = {}) => api('POST', '/api-keys', { workspaceId, userId, name, permissions: ['calls:read'], ...more });

// cut names the elements in the shadow tree whose text is wider than they are.
const cut = (page) => page.evaluate(() => [...document.querySelector('keyward-keys').shadowRoot.querySelectorAll('button, label, h1, h2, h3, p, summary, legend, td, th, .badge, select')]
  .filter((e) => e.checkVisibility() && !e.matches('.sr, [hidden]') && e.clientWidth && e.scrollWidth > e.clientWidth + 1)
  .map((e) => `${e.tagName} ${e.textContent.slice(0, 40)}`));

const set = (page, attributes) => page.evaluate((given) => {
  for (const [name, value] of Object.entries(given)) document.querySelector('keyward-keys').setAttribute(name, value);
}, attributes);

const marks = { list: '.keys li', create: 'form', usage: '.refusals' };

story('the element is whole in each form, in two languages that are read from either side, on a phone and on a desk', async () => {
  await person('pia');
  for (const [name, more] of [[setup.hostile, { description: setup.hostile }], ['Zweitschlüssel', { environment: 'test' }]]) await key('pia', name, more);
  const refused = await key('pia', 'refused', { rateLimit: { requestsPerMinute: 1, requestsPerDay: 1 } });
  for (let i = 0; i < 3; i++) await api('POST', '/api-keys/verify', { key: refused.key });
  const page = await visit({ width: 1440, theme: 'light' });
  await at(page, { ceiling: { permissions: ['calls:read', 'members:read'], maxLifetimeSeconds: 90 * 86400 } });
  await page.locator('.keys li').first().waitFor();
  same(await page.evaluate(() => crossOriginIsolated), true, 'isolation of the page');
  for (const [width, theme] of [[1440, 'light'], [360, 'dark']]) {
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme: theme });
    for (const [locale, dir] of [['en', 'ltr'], ['ar', 'rtl']]) {
      for (const view of ['list', 'create', 'usage']) {
        await set(page, { view, locale });
        await page.locator(`[dir=${dir}] ${marks[view]}`).first().waitFor();
        same([...await looks(page), ...await cut(page)], [], `${view} ${locale} ${width} ${theme}`);
        await shot(page, `element-${view}-${locale}-${theme}-${width}`, { fullPage: true });
      }
    }
    for (const [locale, title] of [['de', 'API-Schlüssel'], ['fr', 'Clés d’API'], ['es', 'Claves de API'], ['pt-BR', 'Chaves de API'], ['ja', 'APIキー']]) {
      await set(page, { view: 'list', locale });
      await page.getByRole('heading', { name: title }).waitFor();
      same([...await looks(page, { axeToo: false }), ...await cut(page)], [], `list ${locale} ${width}`);
      await set(page, { view: 'create' });
      await page.locator('form').waitFor();
      same([...await looks(page, { axeToo: false }), ...await cut(page)], [], `create ${locale} ${width}`);
    }
  }
  same(await page.evaluate(() => globalThis.pwned), undefined, 'a name that does something');
  await page.emulateMedia({ forcedColors: 'active', reducedMotion: 'reduce' });
  const bare = await page.evaluate(() => [...document.querySelector('keyward-keys').shadowRoot.querySelectorAll('button, .badge, input:not([type=checkbox])')]
    .map((e) => getComputedStyle(e)).filter((s) => s.borderBlockStartWidth === '0px' || s.transitionDuration !== '0s').length);
  same(bare, 0, 'elements without an edge in forced colours, or that move');
});

story('each language of the element has the forms of a plural that browsers ask for', async () => {
  const page = await visit();
  await at(page);
  const wrong = await page.evaluate(async (server) => {
    const out = [];
    for (const language of ['ar', 'de', 'es', 'fr', 'ja', 'pt-BR']) {
      const table = await (await fetch(`${server}/portal/words/${language}.json`)).json();
      const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories.toSorted().join();
      for (const [id, word] of Object.entries(table)) {
        if (typeof word === 'object' && Object.keys(word).toSorted().join() !== forms) out.push(`${language} ${id}: ${Object.keys(word)}, want ${forms}`);
      }
    }
    return out;
  }, keyward);
  same(wrong, [], 'forms');
});

story('the hosted page and a frame speak the language of the browser, or of the page around', async () => {
  await person('pia');
  const page = await visit({ locale: 'fr-CA' });
  const { url } = await api('POST', '/portal-sessions', { workspaceId, userId: 'pia', capabilities: all, allowedOrigins: [] });
  await page.goto(url);
  await page.getByRole('heading', { name: 'Clés d’API' }).waitFor();
  await page.waitForFunction(() => document.documentElement.lang === 'fr' && document.title === 'Clés d’API');
  await at(page, { reveal: 'frame' }); // the platform's page is in English
  await page.frameLocator('iframe').getByRole('heading', { name: 'API keys' }).waitFor();
  await at(page, { reveal: 'frame', locale: 'ja', theme: 'dark' }); // and the session says another one
  await page.frameLocator('iframe').getByRole('heading', { name: 'APIキー' }).waitFor();
  same(await page.frameLocator('iframe').locator('.root').evaluate((e) => getComputedStyle(e).colorScheme), 'dark', 'the theme of the session');
});

story('a viewer sees keys and changes none, and attributes and messages change what is shown', async () => {
  const page = await visit();
  await person('pia');
  await key('pia', 'seen');
  await at(page, { capabilities: ['keys:read'], locale: 'de' }, { hide: 'search status' });
  await page.getByRole('heading', { name: 'API-Schlüssel' }).waitFor();
  await page.locator('.keys').waitFor();
  same(await page.locator('keyward-keys').getByRole('button').count(), 0, 'buttons of a viewer');
  same(await page.locator('keyward-keys input').count(), 0, 'the hidden search');
  same(await looks(page), [], 'a viewer');
  await page.evaluate(() => { document.querySelector('keyward-keys').messages = { title: 'Zugänge <b>' }; });
  await page.getByRole('heading', { name: 'Zugänge <b>' }).waitFor();
  await set(page, { view: 'create' });
  await page.getByText('Diese Seite bietet das nicht an.').waitFor();
  await at(page, {}, { readonly: '' });
  await page.locator('.keys').waitFor();
  same(await page.getByRole('button', { name: /Create|Delete|Rotate/ }).count(), 0, 'changes of an element that only reads');
});

// traces are the places of a page where a value could be left.
const traces = (page) => page.evaluate(async () => JSON.stringify({
  heard: globalThis.heard, address: location.href, state: history.state, kept: [{ ...sessionStorage }, { ...localStorage }],
  databases: await indexedDB.databases(), cookies: document.cookie, outer: document.documentElement.outerHTML,
  shadow: document.querySelector('keyward-keys').shadowRoot.innerHTML,
  entries: performance.getEntries().map((e) => e.toJSON()),
}));

story('the keyboard alone makes a key, and its value is left nowhere', async () => {
  await person('kay');
  const page = await visit();
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await at(page, { userId: 'kay' });
  await page.getByText('There is no API key yet.').waitFor();
  const label = () => page.evaluate(() => {
    const e = document.activeElement?.shadowRoot?.activeElement;
    return e ? `${e.labels?.[0]?.textContent ?? e.getAttribute('aria-label') ?? e.textContent}`.trim() : '';
  });
  const tab = async (wanted) => {
    for (let i = 0; i < 60 && !wanted.test(await label()); i++) await page.keyboard.press('Tab');
    want(wanted.test(await label()), `the keyboard does not reach ${wanted}, but ${await label()}`);
  };
  await tab(/^Create key$/);
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await tab(/^Name$/);
  await page.keyboard.type('by hand');
  await tab(/calls:read/);
  await page.keyboard.press('Space');
  await tab(/^Create key$/);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Your new key' }).waitFor();
  await tab(/^Copy: Your new key$/);
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Copy: Your new key' }).getByText('Copied').waitFor();
  const value = await page.evaluate(() => navigator.clipboard.readText());
  same((await api('POST', '/api-keys/verify', { key: value })).code, 'VALID', 'the key');
  await page.keyboard.press('Escape');
  await page.getByRole('heading', { name: 'Your new key' }).waitFor({ state: 'detached' });
  const heard = await page.evaluate(() => globalThis.heard);
  same(heard.map(([type]) => type), ['ready', 'key-created', 'secret-shown', 'secret-copied', 'secret-dismissed'], 'events');
  want(heard.every(([, , composed]) => composed), 'an event stays in the shadow');
  const left = await traces(page);
  want(!left.includes(value) && !left.includes(value.slice(12)), 'the value is left');
  want(!left.includes('keyward_portal'), 'the secret or the token is left');
  same(await page.context().cookies(), [], 'cookies');
});

story('a session that reveals in a frame gives a script of the page no value', async () => {
  await person('fay');
  const page = await visit();
  await at(page, { userId: 'fay', reveal: 'frame', locale: 'de' }, { 'page-size': '5' });
  const frame = page.frameLocator('iframe');
  await frame.getByText('Es gibt noch keinen API-Schlüssel.').waitFor();
  const tag = await page.locator('iframe').evaluate((f) => [f.getAttribute('sandbox'), f.getAttribute('allow'), f.contentDocument === null]);
  same(tag, ['allow-scripts allow-same-origin allow-forms', 'clipboard-write', true], 'the frame');
  same(await looks(page), [], 'the frame');
  // A script of the page makes a session of its own, as it can call the platform, and gets nothing for it.
  const got = await page.evaluate(async (server) => {
    const { Session, makeKey } = await import(`${server}/portal/keyward.js`);
    const made = await (await fetch('/keys-session', { method: 'POST' })).json();
    const session = new Session(server, made.portalSession.id, await makeKey());
    return session.exchange(made.clientSecret).then(() => 'a token', (e) => `${e.status} ${e.code}`);
  }, keyward);
  same(got, '403 permission_denied', 'an exchange by the page');
  await page.evaluate(() => document.querySelector('keyward-keys').create({ name: 'from outside', permissions: ['calls:read'] }));
  same(await frame.getByLabel('Name', { exact: true }).inputValue(), 'from outside', 'the name');
  await frame.getByText('Limits und Netzwerke').click();
  await frame.getByLabel('Erlaubte Netzwerke').fill('nonsense');
  await frame.getByRole('dialog').getByRole('button', { name: 'Schlüssel erstellen' }).click();
  const why = await frame.getByRole('alert').textContent();
  want(/^Das hat nicht geklappt: Die Anfrage ist ungültig. · allowedIps/.test(why), `the refusal says ${why}`);
  await frame.getByLabel('Erlaubte Netzwerke').fill('');
  await frame.getByRole('dialog').getByRole('button', { name: 'Schlüssel erstellen' }).click();
  const value = (await frame.locator('dialog pre code').first().textContent()).trim();
  same((await api('POST', '/api-keys/verify', { key: value })).code, 'VALID', 'the key');
  const left = await traces(page);
  want(!left.includes(value) && !left.includes('keyward_portal'), 'the page has the value, the secret or the token');
  want(left.includes('secret-shown'), 'the page hears nothing');
  await page.evaluate(async () => { // a message that is none of the frame's
    const heard = new Promise((resolve) => { addEventListener('message', () => setTimeout(resolve)); });
    postMessage({ keyward: 'event', type: 'key-deleted', detail: { keyId: 'x' } }, location.origin);
    await heard;
  });
  want(!(await traces(page)).includes('key-deleted'), 'the element believes any message');
  await set(page, { locale: 'en', theme: 'dark' });
  await frame.getByRole('heading', { name: 'API keys' }).waitFor();
  const { portalSessions } = await api('GET', `/portal-sessions?workspaceId=${workspaceId}&userId=fay`);
  for (const s of portalSessions) await api('DELETE', `/portal-sessions/${s.id}`);
  platform.signedOut = true;
  await page.evaluate(() => document.querySelector('keyward-keys').refresh());
  await frame.getByText('This session has ended').waitFor();
  want(await frame.locator('dialog pre code').first().isVisible(), 'the value is gone before it was copied');
  await frame.locator('dialog .main').click();
  await page.getByRole('heading', { name: 'This session has ended' }).waitFor();
  Object.assign(platform, { signedOut: false, brief: true }); // a route that does not say how the session reveals
  await page.getByRole('button', { name: 'Try again' }).click();
  await frame.locator('.keys li').waitFor();
});

story('a token that is stolen from the page opens nothing elsewhere', async () => {
  await person('tom');
  const page = await visit();
  await page.addInitScript(() => { // a script of the page that reads each request
    const { fetch } = globalThis;
    globalThis.stolen = [];
    globalThis.fetch = (url, options) => {
      if (options?.headers?.Authorization) globalThis.stolen.push({ url: String(url), headers: { ...options.headers } });
      return fetch(url, options);
    };
  });
  await at(page, { userId: 'tom' });
  await page.getByText('There is no API key yet.').waitFor();
  await page.evaluate(() => document.querySelector('keyward-keys').refresh()); // the first list came with the token
  const [{ url, headers }] = await page.evaluate(() => globalThis.stolen);
  want(headers.Authorization.startsWith('DPoP '), `no token: ${JSON.stringify(headers)}`);
  const send = (from, given) => from.evaluate(([to, head]) => fetch(to, { headers: head }).then((a) => a.status, () => 'blocked'), [url, given]);
  same(await send(page, headers), 401, 'with a proof that was used');
  same(await send(page, { Authorization: headers.Authorization }), 401, 'without a proof');
  same(await send(page, { Authorization: headers.Authorization.replace('DPoP', 'Bearer') }), 401, 'as Bearer');
  const forged = await page.evaluate(async ([server, at, token]) => {
    const { Session, makeKey } = await import(`${server}/portal/keyward.js`);
    const session = new Session(server, at.split('/')[4], await makeKey()); // another key
    session.resume({ token, about: {} });
    return session.call('GET', '/api-keys').then(() => 200, (e) => e.status);
  }, [keyward, url, headers.Authorization.slice(5)]);
  same(forged, 401, 'with another key');
  const { length } = violations;
  const elsewhere = await visit();
  await elsewhere.goto(`${setup.url}/healthz`); // an origin that is none of the session's
  same(await send(elsewhere, headers), 'blocked', 'from another origin');
  violations.length = length; // the browser says that it blocked this
});

story('the end of a session is seen, and the sign-out of the platform is its own', async () => {
  await person('eva');
  const page = await visit();
  await page.clock.install();
  await at(page, { userId: 'eva' });
  await page.getByText('There is no API key yet.').waitFor();
  const end = async () => {
    const { portalSessions } = await api('GET', `/portal-sessions?workspaceId=${workspaceId}&userId=eva`);
    for (const s of portalSessions) await api('DELETE', `/portal-sessions/${s.id}`);
  };
  await end(); // the platform has a session for its user still
  await page.evaluate(() => document.querySelector('keyward-keys').refresh());
  same([platform.asked, await page.getByText('There is no API key yet.').count()], [2, 1], 'a session anew');
  platform.signedOut = true;
  await end();
  await page.evaluate(() => document.querySelector('keyward-keys').refresh());
  await page.getByRole('heading', { name: 'This session has ended' }).waitFor();
  same((await page.evaluate(() => globalThis.heard)).map(([type]) => type), ['ready', 'session-expired'], 'events');
  platform.signedOut = false;
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByText('There is no API key yet.').waitFor();
  platform.signedOut = true;
  await end();
  await page.clock.fastForward(15000); // nobody does anything
  await page.getByRole('heading', { name: 'This session has ended' }).waitFor();
  platform.signedOut = false;
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByText('There is no API key yet.').waitFor();
  await page.evaluate(() => document.querySelector('keyward-keys').end());
  await page.getByRole('heading', { name: 'This session has ended' }).waitFor();
});

story('the element works with a server of the release before, and of the one after', async () => {
  await person('pia');
  await key('pia', 'skewed');
  const page = await visit();
  const edit = (path, change) => page.route(path, async (route) => {
    const response = await route.fetch();
    const json = await response.json();
    change(json);
    await route.fulfill({ response, json });
  });
  await page.route('**/limits', (route) => route.fulfill({ status: 404, headers: { 'Access-Control-Allow-Origin': platform.origin },
    json: { success: false, error: { code: 'not_found', message: 'there is nothing at this path', details: [] } } }));
  await edit('**/words/de.json', (table) => { delete table.details; }); // a word that the server does not know yet
  const listed = [];
  await edit('**/portal-sessions/exchange', ({ data }) => { delete data.result.firstPage; }); // of the release before
  await edit('**/api-keys?*', ({ data }) => {
    listed.push(data.result.apiKeys.length);
    data.result.later = { of: 'a release to come' };
    for (const k of data.result.apiKeys) k.later = [1];
  });
  await at(page, {}, { locale: 'de' });
  await page.getByRole('heading', { name: 'API-Schlüssel' }).waitFor();
  await page.getByRole('button', { name: 'Usage: skewed' }).click();
  await page.getByRole('dialog').getByText('Es wurde keine Anfrage abgelehnt.').waitFor();
  same((await page.evaluate(() => globalThis.heard)).map(([type]) => type), ['ready'], 'events');
  same(listed.length, 1, 'lists that were asked for, since the exchange gave none');
});

story('the first list takes two requests, and later lists ask anew', async () => {
  await person('pia');
  await key('pia', 'first');
  const page = await visit();
  const asked = [];
  page.on('request', (r) => ['fetch', 'xhr'].includes(r.resourceType()) && asked.push(`${r.method()} ${new URL(r.url()).pathname.split('/').slice(-2).join('/')}`));
  await at(page);
  await page.locator('.keys li').first().waitFor();
  same(asked, ['POST /keys-session', 'POST portal-sessions/exchange'], 'requests');
  await key('pia', 'made elsewhere');
  await page.evaluate(() => document.querySelector('keyward-keys').refresh());
  await page.getByRole('heading', { name: 'made elsewhere' }).waitFor();
  same(asked.slice(2), ['GET v2/api-keys'], 'requests of a refresh');
  await set(page, { 'page-size': '1' });
  await page.getByRole('button', { name: 'Show more' }).waitFor();
  same(await page.locator('.keys li').count(), 1, 'keys of a smaller page');
});

story('the hosted page shows its first list after one request, and asks anew once it is loaded again', async () => {
  await person('hal');
  await key('hal', 'first');
  const { url } = await api('POST', '/portal-sessions', { workspaceId, userId: 'hal', capabilities: all, allowedOrigins: [] });
  const page = await visit();
  const asked = [];
  page.on('request', (r) => r.resourceType() === 'fetch' && asked.push(`${r.method()} ${new URL(r.url()).pathname.split('/').slice(-2).join('/')}`));
  await page.goto(url);
  await page.locator('.keys li').first().waitFor();
  same(asked, ['POST portal-sessions/exchange'], 'requests');
  const kept = await page.evaluate(() => JSON.stringify({ ...sessionStorage }));
  want(!kept.includes('first'), `keys are kept: ${kept}`);
  await page.getByText(/^Created [A-Z][a-z]+ \d+, \d{4}, /).waitFor(); // by the customs of the locale, after digits alone
  await key('hal', 'made elsewhere');
  await page.reload();
  await page.getByRole('heading', { name: 'made elsewhere' }).waitFor();
  same(asked.slice(1), ['GET v2/api-keys'], 'requests of a page that is loaded again');
});

story('all keys of the first page are shown, also those that are drawn after the first screen', async () => {
  await person('ned');
  for (let i = 0; i < 12; i++) await key('ned', `key ${i}`);
  const page = await visit();
  await at(page, { userId: 'ned' }, { 'page-size': '10' });
  await page.locator('.keys li').nth(9).waitFor();
  await page.getByRole('button', { name: 'Show more' }).click();
  await page.locator('.keys li').nth(11).waitFor();
  same(await page.locator('.keys h3').allTextContents(), Array.from({ length: 12 }, (_, i) => `key ${11 - i}`), 'keys, newest first');
});

story('the wrapper for React hands over functions, words and events, and makes one session', async () => {
  await person('ria');
  const page = await visit();
  await at(page, { userId: 'ria' }, {}, '/react');
  await page.getByText('There is no API key yet.').waitFor();
  await page.getByRole('heading', { name: 'Access' }).waitFor();
  await page.getByRole('button', { name: 'New' }).click();
  same(await page.getByLabel('Name', { exact: true }).inputValue(), 'by React', 'the name');
  await page.getByText('Limits and networks').click();
  await page.getByLabel('Allowed networks').fill('nonsense');
  await page.getByRole('dialog').getByRole('button', { name: 'Create key' }).click();
  const why = await page.getByRole('alert').textContent();
  want(!why.includes('The request is not valid.') && why.includes('allowedIps'), `the refusal says ${why}`);
  await page.getByLabel('Allowed networks').fill('');
  await page.getByRole('dialog').getByRole('button', { name: 'Create key' }).click();
  await page.getByRole('heading', { name: 'Your new key' }).waitFor();
  same(await page.locator('output').textContent(), 'ready , created keyId, shown keyId', 'events');
  same(platform.asked, 1, 'sessions');
  await page.getByLabel('Status').waitFor({ state: 'detached' }); // it was drawn anew
  want(await page.getByRole('heading', { name: 'Your new key' }).isVisible(), 'the value is gone before it was copied');
  same(await looks(page), [], 'the value');
  await page.evaluate(() => { navigator.clipboard.writeText = () => Promise.reject(new Error('not allowed')); });
  await page.getByRole('button', { name: 'Copy: Your new key' }).click();
  const marked = await page.evaluate(() => {
    const range = getSelection().getComposedRanges({ shadowRoots: [document.querySelector('keyward-keys').shadowRoot] })[0];
    return range.startContainer.textContent;
  });
  want(/^kw_live_/.test(marked), `the mark is on ${marked}`);
});
