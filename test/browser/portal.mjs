// The hosted page of a portal session: the keys of a member, in a browser without a session of the dashboard.
import { api, looks, same, setup, shots, story, visit, want } from './harness.mjs';

const workspaceId = setup.ids.workspace;
const all = ['keys:read', 'keys:create', 'keys:update', 'keys:rotate', 'keys:disable', 'keys:delete', 'usage:read'];

const ask = async (more = {}) => (await api('POST', '/portal-sessions', { workspaceId, userId: more.userId ?? 'mia', capabilities: all, allowedOrigins: [], ...more }));

for (const [theme, width] of [['light', 1280], ['dark', 360]]) {
  story(`a member creates, rotates, disables and deletes a key on the hosted page, ${theme}, ${width} px`, async () => {
    const userId = `pia${width}`;
    await api('PUT', `/workspaces/${workspaceId}/members/${userId}`, { email: `${userId}@acme.example`, displayName: 'Pia', roleId: setup.ids.member });
    const { url, portalSession } = await ask({ userId, ceiling: { permissions: ['calls:read', 'members:read'], maxLifetimeSeconds: 90 * 86400 } });
    const page = await visit({ theme, width });
    await page.goto(url);
    await page.getByText('There is no API key yet.').waitFor();
    want(!page.url().includes('#'), 'the address keeps the secret');
    same(await looks(page), [], 'an empty list');
    await page.getByRole('button', { name: 'Create key' }).click();
    await page.getByLabel('Name', { exact: true }).fill(setup.hostile.slice(0, 200));
    await page.getByLabel('calls:read').check();
    want(await page.getByLabel('calls:write').isDisabled(), 'more than the ceiling can be chosen');
    same(await looks(page), [], 'the form');
    await page.screenshot({ path: `${shots}/portal-create-${theme}-${width}.png` });
    await page.getByRole('dialog').getByRole('button', { name: 'Create key' }).click();
    const value = (await page.getByRole('dialog').locator('pre code').first().textContent()).trim();
    want(/^kw_live_/.test(value), `the value is ${value}`);
    same(await looks(page), [], 'the value');
    await page.getByRole('dialog').getByRole('button', { name: 'Close', exact: true }).click();
    want(!(await page.content()).includes(value), 'the value stays on the page');
    same((await api('POST', '/api-keys/verify', { key: value })).code, 'VALID', 'the key');
    await page.getByRole('button', { name: /^Rotate: / }).click();
    await page.getByLabel('The value of now works').selectOption('0');
    await page.getByRole('dialog').getByRole('button', { name: 'Rotate' }).click();
    await page.getByRole('heading', { name: 'Your new key' }).waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Close', exact: true }).click();
    same((await api('POST', '/api-keys/verify', { key: value })).code, 'NOT_FOUND', 'the value before');
    await page.getByRole('button', { name: /^Usage: / }).click();
    await page.getByRole('heading', { name: 'Latest refusals' }).waitFor();
    same(await looks(page), [], 'usage');
    await page.getByRole('dialog').getByRole('button', { name: 'Close', exact: true }).click();
    await page.getByRole('button', { name: /^Disable: / }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click();
    await page.getByRole('button', { name: /^Enable: / }).click();
    await page.getByRole('button', { name: /^Disable: / }).waitFor();
    await page.reload();
    await page.getByRole('button', { name: /^Delete: / }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByText('There is no API key yet.').waitFor();
    same(await page.evaluate(() => globalThis.pwned), undefined, 'a name that does something');
    const kept = await page.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage }));
    want(!kept.includes(value) && !kept.includes('keyward_portal_'), 'a value or the secret is kept');
    await api('DELETE', `/portal-sessions/${portalSession.id}`);
    await page.getByLabel('Search').fill('x');
    await page.getByRole('heading', { name: 'This session has ended' }).waitFor();
  });
}

story('the address of a portal session works once, and its token in no other browser', async () => {
  const { url } = await ask({ userId: 'pia1280' });
  const first = await visit();
  await first.goto(url);
  await first.getByRole('heading', { name: 'API keys' }).waitFor();
  await first.getByLabel('Search').waitFor();
  const stolen = await first.evaluate(() => ({ ...sessionStorage }));
  const thief = await visit();
  await thief.goto(url);
  await thief.getByRole('heading', { name: 'This session has ended' }).waitFor();
  await thief.evaluate((kept) => Object.entries(kept).forEach(([k, v]) => sessionStorage.setItem(k, v)), stolen);
  await thief.goto(url.split('#')[0]);
  await thief.getByRole('heading', { name: 'This session has ended' }).waitFor();
});
