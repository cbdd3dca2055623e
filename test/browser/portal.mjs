// The hosted page of a portal session: the keys of a member, in a browser without a session of the dashboard.
import { api, looks, same, setup, shot, story, visit, want } from './harness.mjs';

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
    await shot(page, `portal-create-${theme}-${width}`);
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
    const next = (await page.getByRole('dialog').locator('pre code').first().textContent()).trim();
    await page.getByRole('dialog').getByRole('button', { name: 'Close', exact: true }).click();
    same((await api('POST', '/api-keys/verify', { key: value })).code, 'NOT_FOUND', 'the value before');
    await page.getByRole('button', { name: /^Edit: / }).click();
    same(await page.getByLabel('Name', { exact: true }).inputValue(), setup.hostile.slice(0, 200), 'the name in the form');
    await page.getByLabel('Name', { exact: true }).fill('edited');
    await page.getByLabel('Requests per minute').fill('40');
    await page.getByLabel('Allowed networks').fill('203.0.113.0/24\n2001:db8::/48');
    await page.getByLabel('Expires', { exact: true }).selectOption('30');
    same(await looks(page), [], 'the form of a change');
    await shot(page, `portal-edit-${theme}-${width}`);
    await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
    await page.getByRole('heading', { name: 'edited' }).waitFor();
    const [changed] = (await api('GET', `/api-keys?workspaceId=${workspaceId}&userId=${userId}`)).apiKeys;
    same([changed.name, changed.rateLimit.requestsPerMinute, changed.allowedIps.join(' ')], ['edited', 40, '203.0.113.0/24 2001:db8::/48'], 'the change');
    want(new Date(changed.expiresAt) - Date.now() < 30 * 86400e3, `it expires ${changed.expiresAt}`);
    const third = (await api('POST', `/api-keys/${changed.id}/rotate`, { overlapSeconds: 3600 })).key;
    same((await api('POST', '/api-keys/verify', { key: next, ip: '203.0.113.9', cost: 2 })).code, 'VALID', 'the earlier value');
    same((await api('POST', '/api-keys/verify', { key: third, ip: '198.51.100.9' })).code, 'IP_FORBIDDEN', 'from elsewhere');
    await page.getByLabel('Status').selectOption('active');
    await page.getByText(/An earlier value works until .* from 203\.0\.113\.0\/24\./).waitFor();
    await page.getByLabel('Status').selectOption('');
    await page.getByRole('button', { name: /^Usage: / }).click();
    await page.getByRole('heading', { name: 'Latest refusals' }).waitFor();
    await page.getByRole('row', { name: /This minute 38 of 40 all back: / }).waitFor();
    want((await page.locator('.refusals').textContent()).includes('198.51.100.9'), 'the refusal is not told');
    same(await looks(page), [], 'usage');
    await shot(page, `portal-usage-${theme}-${width}`);
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
  await api('PUT', `/workspaces/${workspaceId}/members/una`, { email: 'una@acme.example', roleId: setup.ids.member });
  const { url } = await ask({ userId: 'una' });
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
