// What the page of a customer takes, in figures: until the first list is there, on a processor that is four times slower, and until the
// paint after a click or a letter with a thousand keys. KEYWARD_BROWSER_MEASURE is the number of rounds; the bounds hold there
// alone, because a machine that does something else at the same time measures that.
import { api, say, setup, story, visit, want } from './harness.mjs';
import { all, at, workspaceId } from './host.mjs';
import { fill, most } from './many.mjs';

const rounds = Number(process.env.KEYWARD_BROWSER_MEASURE ?? 0);
const firstList = 300; // milliseconds after the first script of the page has arrived

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];

// told makes a figure of its rounds, and holds it against its bound.
const told = (what, list, bound) => {
  const got = Math.round(median(list));
  say(`${what}: ${got} ms (${Math.round(Math.min(...list))} to ${Math.round(Math.max(...list))}, ${list.length} rounds${bound ? `, at most ${bound}` : ''})`);
  return rounds && bound && got > bound ? `${what} takes ${got} ms, want at most ${bound}` : '';
};

// slow makes the page's processor slower, and gives what reads the time of its thread: a busy machine adds nothing to that.
const slow = async (page, rate) => {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Emulation.setCPUThrottlingRate', { rate });
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
  return async () => {
    const { metrics } = await devtools.send('Performance.getMetrics');
    const of = (name) => Math.round(1000 * metrics.find((m) => m.name === name).value);
    return { all: of('TaskDuration'), scripts: of('ScriptDuration'), layout: of('LayoutDuration') + of('RecalcStyleDuration') };
  };
};

// watched sees when the first of our scripts could run, and when a screen full of keys was painted, in milliseconds since 1970. A
// module runs when it has arrived and the document is read. The page does nothing for the figure but hear two events: a look in
// each frame would be work of its thread. The hosted page loads two documents; the first script is that of the first one.
const watched = async (rate) => {
  const page = await visit();
  const seen = {};
  page.on('requestfinished', (request) => {
    if (!/\/portal\/.*\.js$/.test(request.url())) return;
    const { startTime, responseEnd } = request.timing();
    seen.script = Math.min(seen.script ?? Infinity, startTime + responseEnd);
  });
  await page.exposeFunction('saw', (what) => Object.assign(seen, what));
  await page.addInitScript(() => {
    const now = () => performance.timeOrigin + performance.now();
    addEventListener('keyward-ready', ({ target }) => requestAnimationFrame(() => {
      const { bottom } = [...target.shadowRoot.querySelectorAll('.keys li')].at(-1).getBoundingClientRect();
      scheduler.postTask(() => globalThis.saw({ read: Number(globalThis.name), list: now(), full: bottom >= innerHeight }), { priority: 'user-blocking' });
    }));
    if (location.hash || ['/', '/floor'].includes(location.pathname)) { // the first document; its name outlives it
      addEventListener('readystatechange', () => { if (document.readyState === 'interactive') globalThis.name = String(now()); }, true);
    }
  });
  const thread = await slow(page, rate);
  const list = async () => {
    for (let i = 0; i < 400 && !(seen.script && seen.read && seen.list); i++) await page.waitForTimeout(25);
    want(seen.script && seen.read && seen.full, `seen: ${JSON.stringify(seen)}`);
    const busy = await thread();
    await page.context().close();
    return [seen.list - Math.max(seen.script, seen.read), busy];
  };
  return { page, list };
};

const forms = {
  element: (page) => at(page, { userId: 'swift', capabilities: all }),
  'least page': (page) => at(page, { userId: 'swift', capabilities: all }, {}, '/floor'),
  'hosted page': async (page) => {
    const { url } = await api('POST', '/portal-sessions', { workspaceId, userId: 'swift', capabilities: all, allowedOrigins: [] });
    await page.goto(url);
  },
};

story('speed: the first list is there soon after the script, on a slow processor', async () => {
  await api('PUT', `/workspaces/${workspaceId}/members/swift`, { email: 'swift@acme.example', roleId: setup.ids.member });
  for (let i = 0; i < 25; i++) await api('POST', '/api-keys', { workspaceId, userId: 'swift', name: `key ${i}`, permissions: ['calls:read'] });
  const wrong = [];
  for (const [form, open] of Object.entries(forms)) {
    for (const rate of [1, 4]) {
      const took = [];
      const busy = [];
      for (let i = 0; i < (rounds || 1); i++) {
        const { page, list } = await watched(rate);
        await open(page);
        const [ms, thread] = await list();
        took.push(ms);
        busy.push(thread);
      }
      if (rate === 1) {
        const of = (part) => Math.round(median(busy.map((b) => b[part])));
        say(`the page's thread until the list is there, ${form}: ${of('all')} ms, scripts ${of('scripts')}, layout ${of('layout')}`);
      }
      wrong.push(told(`first list of 25 keys, ${form}, processor 1/${rate}`, took, rate === 4 && form !== 'least page' && firstList));
    }
  }
  want(!wrong.some(Boolean), wrong.filter(Boolean).join('\n'));
});

story('speed: a click or a letter is painted soon, with a thousand keys', async () => {
  const page = await visit();
  await fill(page);
  await page.evaluate(() => {
    globalThis.taken = [];
    new PerformanceObserver((list) => globalThis.taken.push(...list.getEntries().map((e) => e.duration))).observe({ type: 'event', durationThreshold: 16 });
  });
  const first = page.locator('.keys li').first();
  const cancel = page.getByRole('dialog').getByRole('button', { name: 'Cancel' });
  const acts = {
    'ask to disable': [() => first.getByRole('button', { name: /^Disable: / }).click(), () => cancel.click()],
    edit: [() => first.getByRole('button', { name: /^Edit: / }).click(), () => cancel.click()],
    'a new key': [() => page.getByRole('button', { name: 'Create key' }).click(), () => cancel.click()],
    'a letter of a name': [async () => {
      await first.getByRole('button', { name: /^Edit: / }).click();
      await page.getByRole('dialog').getByLabel('Name', { exact: true }).focus();
      await page.waitForTimeout(500);
      await page.evaluate(() => { globalThis.taken.length = 0; });
      await page.keyboard.type('a');
    }, () => cancel.click()],
  };
  const wrong = [];
  for (const rate of rounds ? [1, 4] : [1]) {
    await slow(page, rate);
    for (const [name, [act, back]] of Object.entries(acts)) {
      const took = [];
      for (let i = 0; i < (rounds || 1); i++) {
        await page.evaluate(() => { globalThis.taken.length = 0; });
        await act();
        await page.waitForTimeout(500);
        took.push(await page.evaluate(() => Math.max(16, ...globalThis.taken)));
        await back();
      }
      wrong.push(told(`next paint after ${name}, processor 1/${rate}`, took, rate === 1 && most));
    }
  }
  want(!wrong.some(Boolean), wrong.filter(Boolean).join('\n'));
});
