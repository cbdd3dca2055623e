// Pages of other origins put the hosted page into frames: the session's own origins may, and no page else, in whatever way.
import { createServer } from 'node:http';
import { api, expected, same, setup, inWhole as story, violations, visit, want } from './harness.mjs';

const workspaceId = setup.ids.workspace;

// serve answers each path with a page of an origin of its own.
const serve = async (pages) => {
  const server = createServer((request, answer) => {
    const page = pages[new URL(request.url, 'http://host').pathname];
    answer.writeHead(page === undefined ? 404 : 200, { 'Content-Type': 'text/html; charset=utf-8' });
    answer.end(`<!doctype html><title>A page</title>${page ?? ''}`);
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  server.unref();
  const origin = `http://127.0.0.1:${server.address().port}`;
  expected.push(origin);
  return origin;
};

// shown tells whether any frame of a page shows the hosted page, once all of them have settled.
const shown = async (page) => {
  for (let i = 0; i < 3; i++) await Promise.all(page.frames().map((f) => f.waitForLoadState('load').catch(() => {})));
  for (const f of page.frames()) {
    if (f !== page.mainFrame() && await f.evaluate(() => document.querySelector('keyward-keys') !== null).catch(() => false)) return true;
  }
  return false;
};

story('the origins of a session frame its page, and a page of a third origin does not, in whatever way', async () => {
  const pages = { host: {}, thief: {} };
  const host = await serve(pages.host);
  const thief = await serve(pages.thief);
  await api('PUT', `/workspaces/${workspaceId}/members/fran`, { email: 'fran@acme.example', displayName: 'Fran', roleId: setup.ids.member });
  const made = await api('POST', '/portal-sessions', { workspaceId, userId: 'fran', capabilities: ['keys:read', 'usage:read'], allowedOrigins: [host] });
  const at = made.url.split('#')[0];
  const frame = (src, more = '') => `<iframe title="x" src="${src}" ${more}></iframe>`;
  Object.assign(pages.host, { '/': frame(made.url, 'sandbox="allow-scripts allow-same-origin allow-forms"'), '/plain': frame(at) });
  Object.assign(pages.thief, {
    '/frame': frame(at),
    '/see-through': frame(at, 'style="opacity:.01;position:absolute;inset:0"'),
    '/sandbox': frame(at, 'sandbox="allow-scripts"'),
    '/with-origin': frame(at, 'sandbox="allow-scripts allow-same-origin allow-forms"'),
    '/object': `<object data="${at}" type="text/html"></object>`,
    '/embed': `<embed src="${at}" type="text/html">`,
    '/frameset': `<frameset cols="100%"><frame src="${at}"></frameset>`,
    '/srcdoc': `<iframe title="x" srcdoc='${frame(at)}'></iframe>`,
    '/nested': frame(`${host}/plain`), // a page that may, within one that may not
    '/upper-case': frame(at.replace(/[^/]+$/, (id) => id.toUpperCase())),
    '/with-query': frame(`${at}?x=${host}`),
  });
  const page = await visit();
  await page.goto(`${host}/`);
  await page.frameLocator('iframe').getByRole('heading', { name: 'API keys' }).waitFor();
  await page.frameLocator('iframe').getByLabel('Search').waitFor();
  await page.goto(`${host}/plain`);
  same(await shown(page), true, 'a frame of the host');
  const { length } = violations;
  for (const path of Object.keys(pages.thief)) {
    await page.goto(thief + path);
    same(await shown(page), false, `a page of a third origin shows it: ${path}`);
  }
  await page.goto(thief + '/frame');
  const refused = violations.slice(length).filter((v) => /frame-ancestors/.test(v));
  violations.length = length; // the browser says that it refused these
  want(refused.length >= 8, `the browser refused ${refused.length} by frame-ancestors`);
  await api('DELETE', `/portal-sessions/${made.portalSession.id}`);
  await page.goto(`${host}/plain`);
  same(await shown(page), false, 'the host shows the page of a session that has ended');
  violations.length = length;
});
