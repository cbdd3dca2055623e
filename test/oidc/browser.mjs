// Signs in as people do, in a real browser, and prints what it saw as one JSON object. What to do stands in KEYWARD_SIGNIN.
import { createServer } from 'node:http';
import { chromium } from '../browser/node_modules/playwright-core/index.mjs';

const setup = JSON.parse(process.env.KEYWARD_SIGNIN); // {chromium, url, links: [4 paths]}
const port = new URL(setup.url).port;
const browser = await chromium.launch({
  executablePath: setup.chromium, headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
    '--disable-sync', '--host-resolver-rules=MAP keyward.test 127.0.0.1'],
});

// visit gives a page of a browser that knows nothing.
const visit = async () => {
  const context = await browser.newContext();
  context.setDefaultTimeout(15000);
  return context.newPage();
};

const seen = async (page) => ({
  path: new URL(page.url()).pathname,
  cookies: (await page.context().cookies()).filter((c) => c.name.startsWith('__Host-keyward'))
    .map(({ name, domain, path, secure, httpOnly, sameSite, expires }) => ({ name, domain, path, secure, httpOnly, sameSite, expires })),
  script: await page.evaluate(() => document.cookie),
  text: await page.innerText('body'),
});

const follow = async (origin, link) => {
  const page = await visit();
  await page.goto(origin + link);
  await Promise.all([page.waitForNavigation(), page.getByRole('button', { name: 'Sign in' }).click()]);
  return seen(page);
};

const provider = async () => {
  const page = await visit();
  await page.goto(`${setup.url}/signin?return=/docs`);
  await page.getByRole('link', { name: /organisation/ }).click();
  await page.fill('input[name=login]', 'ada');
  await page.fill('input[name=password]', 'x');
  await page.click('button[type=submit]');
  await page.waitForURL(/interaction/);
  await page.click('button[type=submit]');
  await page.waitForURL((u) => u.port === port);
  return seen(page);
};

// another site posts a link of its own, to have the visitor signed in as somebody else: login CSRF.
const elsewhere = async (link) => {
  const code = new URL(setup.url + link).searchParams.get('code');
  const server = createServer((_, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end(`<form id=f method=post action="${setup.url}/signin/link"><input name=code value="${code}"></form>`);
  });
  await new Promise((done) => { server.listen(0, 'localhost', done); });
  try {
    const page = await visit();
    await page.goto(`http://localhost:${server.address().port}/`);
    await Promise.all([page.waitForNavigation(), page.evaluate(() => document.getElementById('f').submit())]);
    return await seen(page);
  } finally {
    server.close();
  }
};

// where the provider's form leads to another browser: the answer is good for the one that asked.
const out = {
  provider: await provider(),
  address: await follow(setup.url, setup.links[0]),
  localhost: await follow(`http://localhost:${port}`, setup.links[1]),
  plain: await follow(`http://keyward.test:${port}`, setup.links[2]),
  elsewhere: await elsewhere(setup.links[3]),
};
await browser.close();
console.log(JSON.stringify(out));
