// Runs stories in a real browser and tells each one's end as a line of JSON, which the Go test turns into a test of its own.
import { chromium } from 'playwright-core';
import axe from 'axe-core';
import { mkdirSync } from 'node:fs';

export const setup = JSON.parse(process.env.KEYWARD_BROWSER);
export const shots = setup.shots; // a folder for pictures, or ''
if (shots) mkdirSync(shots, { recursive: true });

// shot takes a picture of a page for somebody to look at, where KEYWARD_BROWSER_SHOTS asks for them.
export const shot = async (page, name, options = {}) => {
  if (shots) await page.screenshot({ path: `${shots}/${name}.png`, ...options });
};

const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--test-third-party-cookie-phaseout'];

// Most stories are told in Chromium without its windows, which takes half of the processor time; those about what the windows' part
// does (the page that is kept on the way back, cookies of third parties, passkeys) in the whole browser.
let browser;
const open = async (executablePath) => {
  browser = await chromium.launch({
    executablePath,
    headless: true,
    args: flags,
    ignoreDefaultArgs: ['--disable-back-forward-cache', '--disable-prompt-on-repost'], // what a visitor's browser does
  });
};

// dark are the contexts of the dark theme. Each of their pages has a story in the light one, so axe asks there about what the theme
// or the width changes, and nothing else.
const dark = new WeakSet();
const ofTheLook = ['color-contrast', 'link-in-text-block', 'scrollable-region-focusable', 'target-size'];
const everything = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

// violations are what a page's policy forbade, and what went wrong in its scripts: there are to be none, anywhere.
export const violations = [];

// expected are the origins that stories open, beside the server's own.
export const expected = [setup.url, setup.url.replace('127.0.0.1', 'localhost'), 'data:'];
const isExpected = (url) => expected.some((origin) => url.startsWith(origin));

// visit opens a context of its own, without a session unless a one-time link is followed in it.
export const visit = async ({ as, theme = 'light', width = 1280, height = 800, javaScriptEnabled = true, locale } = {}) => {
  const context = await browser.newContext({
    viewport: { width, height }, colorScheme: theme, javaScriptEnabled, locale, baseURL: setup.url, reducedMotion: 'reduce',
  });
  context.setDefaultTimeout(15000);
  if (theme === 'dark') dark.add(context);
  if (javaScriptEnabled) {
    await context.addInitScript(() => {
      globalThis.__violations = [];
      addEventListener('securitypolicyviolation', (e) => {
        globalThis.__violations.push(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`);
      });
    });
  }
  context.on('console', (m) => {
    if (m.type() === 'error' && isExpected(m.page()?.url() ?? '') && !/status of 4\d\d/.test(m.text())) violations.push(`${m.page()?.url()}: ${m.text()}`);
  });
  context.on('weberror', (e) => violations.push(String(e.error())));
  context.on('request', (r) => {
    if (!isExpected(r.url())) violations.push(`a request elsewhere: ${r.url()}`);
  });
  const page = await context.newPage();
  if (as) await signIn(page, as);
  return page;
};

// A link works once, so what it gave is kept and shared by later contexts of the same person.
const cookies = new Map();
const signIn = async (page, as) => {
  if (!cookies.has(as)) {
    const link = setup.links[as];
    if (!link) throw new Error(`no link for ${as}`);
    await page.goto(link);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL((u) => !u.pathname.startsWith('/signin'));
    cookies.set(as, await page.context().cookies());
  } else {
    await page.context().addCookies(cookies.get(as));
  }
};

export const forget = (as) => cookies.delete(as);

// looks says what is wrong on the page: what axe finds, what the policy forbade, what is wider than the screen.
export const looks = async (page, { axeToo = true } = {}) => {
  const wrong = [];
  const forbidden = await page.evaluate(() => globalThis.__violations ?? []);
  wrong.push(...forbidden.map((v) => `policy: ${v}`));
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (wide > 0) wrong.push(`the page is ${wide} px wider than the screen`);
  const glued = await page.evaluate(() => [...document.querySelectorAll('main > .actions, main > .actions + p')].filter((one) => {
    const before = one.previousElementSibling;
    return before && one.getBoundingClientRect().top - before.getBoundingClientRect().bottom < 8 && !before.matches('.sr');
  }).map((one) => one.textContent.trim()));
  wrong.push(...glued.map((text) => `nothing parts this from what stands above: ${text}`));
  if (axeToo) wrong.push(...await axeIn(page.mainFrame()));
  return wrong;
};

// axeIn is what axe finds in the document of a frame. Frames within it are looked at by themselves.
export const axeIn = async (frame) => {
  const page = frame.page();
  const session = await page.context().newCDPSession(frame === page.mainFrame() ? page : frame); // the policy of the page does not bind the debugger
  const part = frame === page.mainFrame() ? {} : { 'page-has-heading-one': { enabled: false } }; // the page around has it
  const { result: loaded } = await session.send('Runtime.evaluate', { expression: 'typeof axe' });
  if (loaded.value === 'undefined') await session.send('Runtime.evaluate', { expression: axe.source });
  const { result } = await session.send('Runtime.evaluate', {
    expression: `axe.run(document, { runOnly: ${JSON.stringify(dark.has(page.context()) ? { type: 'rule', values: ofTheLook } : everything)}, resultTypes: ['violations'], rules: ${JSON.stringify(part)} })
      .then((r) => JSON.stringify(r.violations.flatMap((v) => v.nodes.map((n) => v.id + ': ' + n.target.join(' ') + ' ' + n.failureSummary.split('\\n')[1]))))`,
    awaitPromise: true, returnByValue: true,
  });
  await session.detach();
  return JSON.parse(result.value).map((v) => `axe: ${v}`);
};

// api calls the API as the root, and gives the result.
export const api = async (method, path, body) => {
  const answer = await fetch(`${setup.url}/api/v2${path}`, {
    method,
    headers: { Authorization: `Bearer ${setup.root}`, 'Content-Type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text).data.result : undefined;
};

const stories = [];
export const story = (name, run) => stories.push({ name, run });

// inWhole is a story that needs the whole browser.
export const inWhole = (name, run) => stories.push({ name, run, whole: true });

export const want = (condition, message) => {
  if (!condition) throw new Error(message);
};

export const same = (got, expected, what = 'value') => {
  if (JSON.stringify(got) !== JSON.stringify(expected)) {
    throw new Error(`${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(expected)}`);
  }
};

// say adds a figure to what is told of the story that runs.
let figures = [];
export const say = (figure) => figures.push(figure);

export const run = async () => {
  const only = setup.only ? new RegExp(setup.only) : /./;
  const chosen = stories.filter(({ name }) => only.test(name));
  const whole = (one) => Boolean(setup.whole || one.whole);
  await tellAll(setup.chromium, chosen.filter(whole));
  await tellAll(setup.shell, chosen.filter((one) => !whole(one)));
};

const tellAll = async (executablePath, chosen) => {
  if (!chosen.length) return;
  await open(executablePath);
  for (const { name, run: tell } of chosen) {
    const start = Date.now();
    let error = '';
    figures = [];
    try {
      await tell();
    } catch (e) {
      error = e.stack ?? String(e);
    }
    for (const context of browser.contexts()) await context.close();
    console.log(JSON.stringify({ name, ok: !error, error, figures, ms: Date.now() - start }));
  }
  await browser.close();
};
