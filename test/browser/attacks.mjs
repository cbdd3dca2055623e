// What others try.
import { createServer } from 'node:http';
import { same, setup, story, visit, want } from './harness.mjs';
import { verdict } from './keys.mjs';

// elsewhere serves pages of another origin.
const elsewhere = async (pages, run) => {
  const server = createServer((request, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end(pages[request.url] ?? '');
  });
  await new Promise((done) => { server.listen(0, 'localhost', done); });
  try {
    await run(`http://localhost:${server.address().port}`);
  } finally {
    server.close();
  }
};

story('T66 hostile text in every field stays text', async () => {
  const page = await visit({ as: 'owner' });
  for (const path of ['/', '/keys', `/keys/${setup.ids.hostile}`, `/keys/${setup.ids.hostile}/edit`, `/keys/${setup.ids.hostile}/delete`, '/members', '/roles',
    `/roles/${setup.ids.hostileRole}`, '/log', '/members/mal/remove', `/keys?q=${encodeURIComponent(setup.hostile)}`, `/log?q=${encodeURIComponent(setup.hostile)}`,
    `/keys/${setup.ids.key}?permission=${encodeURIComponent(setup.hostile)}&ip=${encodeURIComponent(setup.hostile)}`, `/keys?view=${encodeURIComponent(setup.hostile)}`]) {
    await page.goto(path);
    same(await page.evaluate(() => [globalThis.pwned ?? null, document.querySelectorAll('main script, main img, main iframe').length, globalThis.__violations]), [null, 0, []], path);
  }
});

story('T67 no other site changes anything: form, fetch, image, top-level POST', async () => {
  const target = `${setup.url}/keys/${setup.ids.key}/state`;
  await elsewhere({
    '/form': `<form id="f" method="post" action="${target}"><input name="active" value="false"></form>`,
    '/fetch': '<p>x</p>',
    '/image': `<img src="${target}?active=false">`,
  }, async (origin) => {
    const page = await visit({ as: 'owner' });
    const status = [];
    page.on('response', (r) => { if (r.url().startsWith(target)) status.push(r.status()); });
    page.context().removeAllListeners('request');
    await page.goto(`${origin}/form`);
    await Promise.all([page.waitForURL(/state/), page.evaluate(() => document.getElementById('f').submit())]);
    await page.goto(`${origin}/fetch`);
    await page.evaluate(async (t) => { await fetch(t, { method: 'POST', mode: 'no-cors', credentials: 'include', body: new URLSearchParams('active=false') }).catch(() => {}); }, target);
    await page.goto(`${origin}/image`);
    want(status.length >= 2 && status[0] === 403 && status.every((s) => s >= 400 || s === 303), `answers: ${status}`); // 303: sent to sign in
  });
  same(await verdict(setup.value), 'VALID', 'after all that');
});

story('T68 no page can be framed', async () => {
  await elsewhere({ '/frame': `<iframe id="f" src="${setup.url}/keys"></iframe>` }, async (origin) => {
    const page = await visit({ as: 'owner' });
    page.context().removeAllListeners('request');
    page.context().removeAllListeners('console');
    await page.goto(`${origin}/frame`);
    await page.waitForTimeout(300);
    const frame = page.frames().find((f) => f !== page.mainFrame());
    const text = frame ? await frame.evaluate(() => document.body?.innerText ?? '').catch(() => '') : '';
    want(!text.includes('Keys'), 'the page is shown in a frame');
  });
});

story('T20 nothing with data may be kept, and every page says what may run in it', async () => {
  const page = await visit({ as: 'owner' });
  for (const path of ['/', '/keys', '/keys/new', `/keys/${setup.ids.key}`, '/members', '/log', '/settings', '/nowhere']) {
    const h = (await page.goto(path)).headers();
    same(h['cache-control'], 'no-store', path);
    for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"]) {
      want(h['content-security-policy'].includes(part), `${path}: no ${part}`);
    }
    want(!/unsafe|data:|https?:/.test(h['content-security-policy']), `${path}: the policy is too wide`);
    same(await page.locator('[style], [onclick], style, script:not([src])').count(), 0, `${path}: inline`);
  }
});

story('T76 no way back leads to another place', async () => {
  const page = await visit({ as: 'owner' });
  await page.goto('/catalogue');
  for (const back of ['//evil.example', 'https://evil.example', '/\\evil.example', '\t//evil.example', 'javascript:alert(1)', '/%09/evil.example', '///evil.example']) {
    const url = await page.evaluate(async (b) => (await fetch('/theme', { method: 'POST', body: new URLSearchParams({ theme: 'light', back: b }) })).url, back);
    want(url.startsWith(`${setup.url}/`), `${JSON.stringify(back)} leads to ${url}`);
  }
});

story('a key in an address is refused in words for people', async () => {
  const page = await visit({ as: 'owner' });
  const answer = await page.goto(`/keys?q=${setup.value}`);
  same(answer.status(), 400);
  const text = await page.content();
  want(text.includes('That cannot be read') && !text.includes(setup.value), 'the refusal is no page, or repeats the key');
});
