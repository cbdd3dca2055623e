// What a portal session keeps apart, in each of its three forms: its secret and values from the page's traces, its token from
// other browsers, text from scripts, and its end from a page that goes on.
import { createServer } from 'node:http';
import { api, expected, same, setup, inWhole as story, violations, visit, want } from './harness.mjs';
import { all, at, keyward, open, platform, workspaceId } from './host.mjs';

const person = (userId) => api('PUT', `/workspaces/${workspaceId}/members/${userId}`,
  { email: `${userId}@acme.example`, displayName: setup.hostile.slice(0, 100), roleId: setup.ids.member });

const mint = (userId, more = {}) => api('POST', '/portal-sessions', { workspaceId, userId, capabilities: all, allowedOrigins: [], ...more });

const endAll = async (userId) => {
  const { portalSessions } = await api('GET', `/portal-sessions?workspaceId=${workspaceId}&userId=${userId}`);
  for (const s of portalSessions) await api('DELETE', `/portal-sessions/${s.id}`);
};

const framed = (page) => page.frames().find((f) => f !== page.mainFrame());

story('the browser of these stories keeps no cookie of a third party', async () => {
  await open();
  const server = createServer((_, answer) => {
    answer.writeHead(200, { 'Content-Type': 'text/html', 'Cross-Origin-Resource-Policy': 'cross-origin', 'Set-Cookie': 'sent=1; SameSite=None; Secure' });
    answer.end("<!doctype html><title>x</title><script>document.cookie = 'set=1; SameSite=None; Secure'</script>");
  });
  await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
  const third = `http://localhost:${server.address().port}`; // another site than 127.0.0.1
  expected.push(third);
  try {
    const page = await visit();
    await page.goto(third);
    same(await page.evaluate(() => document.cookie.split('; ').toSorted()), ['sent=1', 'set=1'], 'cookies of a page by itself');
    await page.goto(`${setup.url}/healthz`);
    await page.setContent(`<iframe title="x" src="${third}"></iframe>`).catch(() => {});
    await page.waitForLoadState('load');
    same(await framed(page).evaluate(() => document.cookie), '', 'cookies of a frame');
  } finally {
    server.close();
  }
});

// tabber gives functions that press Tab until the wanted element has the focus, within the document of a frame.
const tabber = (page, inside) => async (wanted) => {
  const label = () => inside().evaluate(() => {
    const e = document.hasFocus() && document.activeElement?.shadowRoot?.activeElement;
    return e ? `${e.labels?.[0]?.textContent ?? e.getAttribute('aria-label') ?? e.textContent}`.trim() : '';
  });
  for (let i = 0; i < 60 && !wanted.test(await label()); i++) await page.keyboard.press('Tab');
  want(wanted.test(await label()), `the keyboard does not reach ${wanted}, but ${await label()}`);
};

const begin = {
  hosted: async (page, userId, more) => {
    const made = await mint(userId, more);
    await page.goto(made.url);
    return { root: page, inside: () => page.mainFrame(), secret: made.clientSecret };
  },
  frame: async (page, userId, more) => {
    await at(page, { userId, reveal: 'frame', ...more });
    return { root: page.frameLocator('iframe'), inside: () => framed(page) };
  },
};

for (const [form, start] of Object.entries(begin)) {
  story(`the keyboard alone makes a key and deletes it, ${form}`, async () => {
    const userId = `kim-${form}`;
    await person(userId);
    const page = await visit();
    const { root, inside } = await start(page, userId);
    await root.getByText('There is no API key yet.').waitFor();
    const tab = tabber(page, inside);
    await tab(/^Create key$/);
    await page.keyboard.press('Enter');
    await root.getByLabel('Name', { exact: true }).waitFor();
    await tab(/^Name$/);
    await page.keyboard.type('by hand');
    await tab(/calls:read/);
    await page.keyboard.press('Space');
    await tab(/^Create key$/);
    await page.keyboard.press('Enter');
    const value = (await root.getByRole('dialog').locator('pre code').first().textContent()).trim();
    same((await api('POST', '/api-keys/verify', { key: value })).code, 'VALID', 'the key');
    await page.keyboard.press('Escape');
    await tab(/^Delete: by hand$/);
    await page.keyboard.press('Enter');
    await tab(/^Delete$/);
    await page.keyboard.press('Enter');
    await root.getByText('There is no API key yet.').waitFor();
    same((await api('POST', '/api-keys/verify', { key: value })).code, 'NOT_FOUND', 'the key afterwards');
  });

  story(`the end of a session is seen within 15 seconds, ${form}`, async () => {
    const userId = `end-${form}`;
    await person(userId);
    const page = await visit();
    await page.clock.install();
    const { root } = await start(page, userId);
    await root.getByText('There is no API key yet.').waitFor();
    platform.signedOut = true;
    await endAll(userId);
    await page.clock.fastForward(15000); // nobody does anything
    await page.getByRole('heading', { name: 'This session has ended' }).waitFor();
  });
}

story('the hosted page leaves neither secret nor value in any place of the browser', async () => {
  await person('tess');
  const page = await visit();
  const sent = [];
  page.on('request', (r) => sent.push(r.url(), r.headers().referer ?? ''));
  const { root, secret } = await begin.hosted(page, 'tess');
  await root.getByText('There is no API key yet.').waitFor();
  await root.getByRole('button', { name: 'Create key' }).click();
  await root.getByLabel('Name', { exact: true }).fill('traced');
  await root.getByRole('dialog').getByRole('button', { name: 'Create key' }).click();
  const value = (await root.getByRole('dialog').locator('pre code').first().textContent()).trim();
  await root.getByRole('dialog').getByRole('button', { name: 'Close', exact: true }).click();
  const traces = () => page.evaluate(async () => {
    const rows = await new Promise((resolve) => {
      const opening = indexedDB.open('keyward', 1);
      opening.onsuccess = () => {
        const asked = opening.result.transaction('keys').objectStore('keys').getAll();
        asked.onsuccess = () => resolve(asked.result);
      };
    });
    const exported = await Promise.all(rows.map((k) => crypto.subtle.exportKey('jwk', k.privateKey).then(() => 'exported', (e) => e.name)));
    return JSON.stringify({
      exported, address: location.href, document: document.URL, state: history.state, name: window.name, referrer: document.referrer,
      visited: globalThis.navigation?.entries().map((e) => e.url), kept: [{ ...sessionStorage }, { ...localStorage }], cookies: document.cookie,
      caches: await caches.keys(), outer: document.documentElement.outerHTML, shadow: document.querySelector('keyward-keys').shadowRoot.innerHTML,
      entries: performance.getEntries().map((e) => e.toJSON()),
    });
  });
  const clean = async (when) => {
    const left = await traces();
    want(left.includes('"exported":["InvalidAccessError"]'), `${when}: the key can be read: ${left.slice(0, 60)}`);
    for (const [what, text] of [['secret', secret], ['value', value]]) {
      const found = left.indexOf(text.slice(0, 24));
      want(found < 0, `${when}: the ${what} is left: ${left.slice(found - 100, found)}`);
    }
  };
  await clean('after a key');
  await page.reload();
  await root.getByRole('heading', { name: 'traced' }).waitFor();
  await clean('after a reload');
  want(!sent.some((text) => text.includes(secret) || text.includes(value)), 'a request says the secret or a value in its address');
});

story('a token that was taken to another browser opens nothing, on the page of the platform either', async () => {
  await person('tia');
  const page = await visit();
  await page.addInitScript(() => {
    const { fetch } = globalThis;
    globalThis.stolen = [];
    globalThis.fetch = (url, options) => {
      if (options?.headers?.Authorization) globalThis.stolen.push({ url: String(url), headers: { ...options.headers } });
      return fetch(url, options);
    };
  });
  await at(page, { userId: 'tia' });
  await page.getByText('There is no API key yet.').waitFor();
  await page.evaluate(() => document.querySelector('keyward-keys').refresh()); // the first list came with the token
  const [{ url, headers }] = await page.evaluate(() => globalThis.stolen);
  const thief = await visit(); // another context: no cookie, key or storage of the first
  platform.signedOut = true;
  await thief.goto(`${platform.origin}/`);
  const tried = await thief.evaluate(async ([server, target, taken]) => {
    const { Session, makeKey } = await import(`${server}/portal/keyward.js`);
    const status = (given) => fetch(target, { headers: given }).then((a) => a.status, () => 'blocked');
    const own = new Session(server, target.split('/')[4], await makeKey());
    own.resume({ token: taken.Authorization.slice(5), about: {} });
    return [
      await status(taken), await status({ Authorization: taken.Authorization }),
      await own.call('GET', '/api-keys').then(() => 200, (e) => e.status), await own.renewByKey().then(() => 200, (e) => e.status),
    ];
  }, [keyward, url, headers]);
  same(tried, [401, 401, 401, 403], 'with its proof, without one, by another key, and renewed by another key'); // only the hosted page renews
});

story('the hosted page goes back to the platform at its end, and to no address of a visitor', async () => {
  await person('rob');
  await open();
  const back = `${platform.origin}/settings?tab=keys`;
  const page = await visit();
  const { root } = await begin.hosted(page, 'rob', { allowedOrigins: [platform.origin], returnUrl: back });
  await root.getByText('There is no API key yet.').waitFor();
  await endAll('rob');
  await root.getByLabel('Search').fill('x');
  await page.waitForURL(`${back}&keyward=expired`);
  for (const away of ['?returnUrl=https://evil.example/', '?next=//evil.example', '#returnUrl=https://evil.example/', '#https://evil.example/',
    '#javascript:globalThis.pwned=1', '#element=https://evil.example', '#%3Cimg%20src=x%20onerror=globalThis.pwned=1%3E', '?/\\evil.example#//evil.example']) {
    const made = await mint('rob');
    const address = made.url.split('#')[0];
    await page.goto('about:blank');
    await page.goto(address + away);
    await page.getByRole('heading', { name: 'This session has ended' }).waitFor();
    want(page.url().startsWith(address), `${away} leads to ${page.url()}`);
    same(await page.evaluate(() => globalThis.pwned), undefined, away);
  }
});

const words = ['title', 'create', 'search', 'status', 'none', 'more', 'active', 'created', 'rotate', 'remove', 'edit', 'details', 'revealOnce', 'wrong', 'usageNone', 'left'];

story('hostile text in every field of each form stays text', async () => {
  const { hostile } = setup;
  await person('xia');
  const made = await api('POST', '/api-keys', { workspaceId, userId: 'xia', name: hostile, description: hostile, metadata: { [hostile]: hostile }, permissions: ['calls:read'] });
  await api('POST', '/api-keys/verify', { key: made.key, permissions: ['calls:write'], ip: '203.0.113.9' });
  const attributes = Object.fromEntries(['locale', 'theme', 'view', 'hide', 'expirations', 'default-expiration', 'page-size', 'title', 'class'].map((name) => [name, hostile]));
  for (const form of ['element', 'frame', 'hosted']) {
    const page = await visit();
    const { length } = violations;
    const loaded = [];
    page.on('requestfailed', (r) => r.url().includes('evil.example') && r.failure().errorText !== 'csp' && loaded.push(`${r.url()} ${r.failure().errorText}`));
    const label = hostile.slice(0, 100);
    let root = page;
    if (form === 'hosted') await begin.hosted(page, 'xia', { label });
    else await at(page, { userId: 'xia', label, ...form === 'frame' && { reveal: 'frame' } }, attributes);
    if (form === 'frame') root = page.frameLocator('iframe');
    await root.locator('.keys li').waitFor();
    const inside = form === 'frame' ? framed(page) : page.mainFrame();
    await page.evaluate(([text, ids]) => {
      const element = document.querySelector('keyward-keys');
      element.messages = Object.fromEntries(ids.map((id) => [id, `${id} ${text}`]));
      element.style.cssText = "--keyward-background: url(https://evil.example/x); --keyward-font: x;}*{background:url(https://evil.example/y)}";
      for (const name of ['accent', 'text', 'surface', 'radius']) element.style.setProperty(`--keyward-${name}`, `url(https://evil.example/${name})`);
    }, [hostile, form === 'hosted' ? [] : words]);
    const titled = form === 'hosted' ? 'API keys' : `title ${hostile}`;
    await root.getByRole('heading', { name: titled }).waitFor();
    await root.locator('[data-act=details]').click();
    await root.locator('.refusals li').first().waitFor();
    await page.keyboard.press('Escape');
    await root.locator('[data-act=edit]').click();
    await root.getByLabel('Allowed networks').fill(hostile);
    await root.locator('dialog .main').click();
    await root.getByRole('alert').waitFor();
    await page.keyboard.press('Escape');
    await root.locator('dialog').waitFor({ state: 'detached' });
    await page.evaluate((text) => document.querySelector('keyward-keys').create({ name: text, permissions: [text] }), hostile);
    same(await root.getByLabel('Name', { exact: true }).inputValue(), hostile, `${form}: the name`);
    await root.locator('dialog .main').click();
    const value = (await root.locator('dialog pre code').first().textContent()).trim();
    want(/^kw_(live|test)_/.test(value), `${form}: the value is ${value}`);
    await page.keyboard.press('Escape');
    await root.locator('[data-act=remove]').first().click();
    await root.locator('dialog .danger').click();
    await root.locator('dialog').waitFor({ state: 'detached' });
    const found = await inside.evaluate(() => [globalThis.pwned ?? null, document.querySelector('keyward-keys').shadowRoot.querySelectorAll('img, script').length,
      [...document.querySelectorAll('main img, main script')].length]);
    same(found, [null, 0, 0], form);
    same(loaded, [], `${form}: pictures of a style`);
    same(violations.slice(length).filter((v) => !/Content Security Policy directive|^a request elsewhere: https:\/\/evil\.example\//.test(v)), [], `${form}: what went wrong`);
    violations.length = length; // the browser says that it refused these pictures
    await page.context().close();
  }
});
