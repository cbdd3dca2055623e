// A member with a thousand keys: what the page takes to answer a click or a letter with all of them in the list.
import { api, same, setup, story, visit, want } from './harness.mjs';
import { all, at, workspaceId } from './host.mjs';

export const most = 100; // milliseconds from a click to the next paint

let made;
const make = async () => {
  await api('PUT', `/workspaces/${workspaceId}/members/max`, { email: 'max@acme.example', displayName: 'Max', roleId: setup.ids.member });
  const apiKeys = Array.from({ length: 1000 }, (_, i) => ({ userId: 'max', name: `key ${i}`, generate: true, permissions: ['calls:read'] }));
  for (let i = 0; i < 1000; i += 500) await api('POST', '/api-keys/import', { workspaceId, apiKeys: apiKeys.slice(i, i + 500) });
};

// fill shows the list of a member with a thousand keys, all of them.
export const fill = async (page) => {
  made ??= make();
  await made;
  await at(page, { userId: 'max', capabilities: all }, { 'page-size': '100' });
  for (let n = 100; n < 1000; n += 100) {
    await page.getByRole('button', { name: 'Show more' }).click();
    await page.locator('.keys li').nth(n + 99).waitFor();
  }
  same(await page.locator('.keys li').count(), 1000, 'keys in the list');
};

story('the list answers each click and letter with a thousand keys in it', async () => {
  const page = await visit();
  await fill(page);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' }); // of the page's thread: a busy machine adds nothing
  const busy = async () => {
    const { metrics } = await devtools.send('Performance.getMetrics');
    return 1000 * metrics.find((m) => m.name === 'TaskDuration').value;
  };
  const took = {};
  const take = async (name, act) => {
    const before = await busy();
    await act();
    await page.evaluate(() => new Promise((resolve) => { requestAnimationFrame(() => setTimeout(resolve)); })); // it was painted
    took[name] = Math.round(await busy() - before);
  };
  const cancel = page.getByRole('dialog').getByRole('button', { name: 'Cancel' });
  const first = page.locator('.keys li').first();
  const disable = first.getByRole('button', { name: /^Disable: / });
  const edit = first.getByRole('button', { name: /^Edit: / });
  const press = (locator) => locator.evaluate((e) => e.click());
  await take('ask', () => press(disable));
  await take('cancel', () => press(cancel));
  await take('edit', () => press(edit));
  await press(cancel);
  await press(edit);
  await page.getByRole('dialog').getByLabel('Name', { exact: true }).focus();
  await take('letter', () => page.keyboard.type('a'));
  await press(cancel);
  await page.getByLabel('Search').focus();
  await take('search', () => page.keyboard.type('k'));
  for (const [name, ms] of Object.entries(took)) want(ms <= most, `${name} takes ${ms} ms of the page's thread, want at most ${most}`);
});
