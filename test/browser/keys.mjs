// What people do with keys, from signing in to what the engine then says.
import { api, looks, same, setup, shot, inWhole, story, visit, want } from './harness.mjs';

const pattern = /kw_(live|test)_[0-9A-Za-z]{49}/;

// verdict asks the API, as the platform would.
export const verdict = async (key, permissions = []) => {
  const answer = await fetch(`${setup.url}/api/v2/api-keys/verify`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${setup.root}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ key, permissions, ip: '203.0.113.7' }),
  });
  return (await answer.json()).data.result.code;
};

const make = async (page, name) => {
  await page.goto('/keys/new');
  await page.getByLabel('Name', { exact: true }).fill(name);
  await page.getByRole('group', { name: 'calls', exact: true }).getByLabel('Custom').check();
  await page.locator('input[value="calls:read"]').check();
  await page.getByRole('button', { name: 'Create key' }).click();
  await page.getByText('Store it now').waitFor();
  return (await page.locator('#value').textContent()).trim();
};

story('a developer makes a key, tests it, rotates it, disables it and deletes it', async () => {
  const page = await visit({ as: 'developer' });
  await page.goto('/keys/new');
  await page.getByLabel('Name', { exact: true }).fill('deployment');
  await page.locator('[data-same] summary').click();
  await page.locator('[data-command]', { hasText: '"name": "deployment"' }).waitFor();
  want(!await page.locator('input[value="agents:write"]').isVisible(), 'what a developer does not hold can be chosen');
  const hidden = page.locator('.lacks').filter({ hasText: /^\d+ hidden: you don't have them/ });
  await hidden.locator('summary').click();
  want((await hidden.textContent()).includes('agents:write'), 'what a developer lacks is not shown on demand');
  const first = await make(page, 'deployment');
  want(pattern.test(first), 'no value is shown');
  same(await verdict(first, ['calls:read']), 'VALID');
  same(await verdict(first, ['calls:write']), 'INSUFFICIENT_PERMISSIONS');

  await page.getByRole('link', { name: 'Done' }).click();
  await page.getByRole('heading', { name: 'deployment', level: 1 }).waitFor();
  await page.getByLabel('Permission').fill('calls:write');
  await page.getByRole('button', { name: 'Test without spending' }).click();
  want((await page.locator('.verdict').textContent()) === 'INSUFFICIENT_PERMISSIONS', 'the test says something else than the engine');
  want((await page.locator('.steps').textContent()).includes('it lacks calls:write'), 'the step that refused is not explained');

  await page.getByRole('link', { name: 'Rotate…' }).click();
  await page.getByLabel('Not at all').check();
  await page.getByRole('button', { name: 'Rotate and show the new value' }).click();
  const second = (await page.locator('#value').textContent()).trim();
  want(pattern.test(second) && second !== first, 'no new value');
  same([await verdict(first), await verdict(second)], ['NOT_FOUND', 'VALID'], 'after the rotation');

  await page.getByRole('link', { name: 'Done' }).click();
  await page.getByRole('button', { name: 'Disable' }).click();
  await page.getByText('Disabled. Verifications refuse it from now on.').waitFor();
  same(await verdict(second), 'DISABLED');
  await page.getByRole('button', { name: 'Enable' }).click();
  await page.getByText('Enabled.').waitFor();
  same(await verdict(second), 'VALID');
  await page.getByRole('link', { name: 'Delete…' }).click();
  await page.getByRole('button', { name: 'Delete for good' }).click();
  await page.waitForURL(/\/keys/);
  same(await verdict(second), 'NOT_FOUND');
});

// travel goes through the history; a page that the browser has kept tells no load.
const travel = async (page, way) => {
  await page[way]({ waitUntil: 'commit' }).catch(() => {});
  await page.waitForTimeout(300);
  await page.waitForFunction(() => document.readyState === 'complete').catch(() => {});
};

inWhole('T29 a value is gone on reload, on the way back, in storage and in the page that the browser keeps', async () => {
  const page = await visit({ as: 'developer' });
  const value = await make(page, 'shown once');
  await shot(page, 'reveal-light-desk', { fullPage: true });
  const address = page.url();
  want(!address.includes('new'), 'a reload would send the form again');
  await page.reload();
  want(!(await page.content()).includes(value), 'a reload shows the value');
  await page.goto('/keys');
  for (const step of ['the way back', 'further back']) {
    await travel(page, 'goBack');
    want(!(await page.content()).includes(value), `${step} shows the value`);
  }
  const kept = await page.evaluate(async () => {
    const all = [JSON.stringify(localStorage), JSON.stringify(sessionStorage), JSON.stringify(history.state), document.cookie, location.href];
    for (const db of await indexedDB.databases()) all.push(db.name);
    if (globalThis.caches) all.push(...await caches.keys());
    return all.join();
  });
  want(!kept.includes(value), 'the browser keeps the value');

  const again = await make(page, 'straight back');
  await travel(page, 'goBack');
  await travel(page, 'goForward');
  want(!(await page.content()).includes(again), 'forward again shows the value');

  const last = await make(page, 'away and back');
  await page.goto('/keys');
  await travel(page, 'goBack');
  want(!(await page.content()).includes(last), 'the page that the browser keeps shows the value');
});

story('the same form, sent twice, makes one key and shows no value again', async () => {
  const page = await visit({ as: 'developer', javaScriptEnabled: false });
  await page.goto('/keys/new');
  await page.getByLabel('Name', { exact: true }).fill('without scripts');
  await page.getByRole('group', { name: 'chat', exact: true }).getByLabel('Read', { exact: true }).check();
  await page.getByRole('button', { name: 'Update' }).click();
  await page.getByText('1 permission, read only · expires').waitFor();
  await page.getByRole('button', { name: 'Create key' }).click();
  const value = (await page.locator('#value').textContent()).trim();
  want(pattern.test(value), 'no value without scripts');
  page.once('dialog', (d) => d.accept());
  await page.reload().catch(() => {});
  want(!(await page.content()).includes(value), 'the form, sent again, shows the value');
  await page.goto('/keys?q=without+scripts');
  same(await page.locator('input[name="id"]').count(), 1, 'keys of that name');
});

story('many keys are stopped at once, after a look at what stops', async () => {
  const page = await visit({ as: 'owner' });
  const values = [];
  for (const name of ['bulk one', 'bulk two']) values.push(await make(page, name));
  await page.goto('/keys?q=bulk');
  want(await page.locator('[data-bulk-bar]').isHidden(), 'actions are offered for no key');
  await page.locator('[data-all]').check();
  await page.getByText('2 keys chosen').waitFor();
  await page.getByRole('button', { name: 'Disable…' }).click();
  await page.getByText('2 keys of these work now').waitFor();
  await shot(page, 'bulk-light-desk', { fullPage: true });
  same(await verdict(values[0]), 'VALID', 'before it is confirmed');
  await page.getByRole('button', { name: 'Disable 2 keys' }).click();
  await page.waitForURL(/q=bulk/);
  same([await verdict(values[0]), await verdict(values[1])], ['DISABLED', 'DISABLED']);
});

story('a mistake is told beside its cause, and nothing is lost', async () => {
  const page = await visit({ as: 'owner' });
  await page.goto('/keys/new');
  await page.getByLabel('Name', { exact: true }).fill('wrong network');
  await page.getByText('Edit', { exact: true }).click();
  await page.getByLabel('Allowed IPs').fill('300.1.1.1');
  await page.locator('[data-error="ips"]', { hasText: 'Want a network' }).waitFor();
  await page.getByRole('button', { name: 'Create key' }).click();
  await page.locator('[data-error="ips"]', { hasText: 'Want a network' }).waitFor();
  same(await page.getByLabel('Name', { exact: true }).inputValue(), 'wrong network');
});

story('a key is edited, and a list of keys is what its address says', async () => {
  const page = await visit({ as: 'owner' });
  await page.goto(`/keys/${setup.ids.key}/edit`);
  await page.getByLabel('Description').fill('for the nightly run');
  await page.getByLabel('Requests per minute').fill('120');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.goto(`/keys/${setup.ids.key}?tab=settings`);
  await page.getByText('120 per minute').waitFor();
  await page.goto('/keys?view=disabled&q=bulk');
  same(await page.locator('tbody tr').count(), 2, 'disabled keys');
  same(await page.locator('nav.tabs [aria-current]').textContent(), 'Disabled');
});

story('a member finds a request that waits, confirms it, and alone sees the value', async () => {
  const { keyRequest } = await api('POST', '/key-requests', { workspaceId: setup.ids.workspace, userId: 'ada', name: 'asked for', permissions: ['calls:read'] });
  const other = await visit({ as: 'developer' });
  await other.goto('/key-requests');
  await other.getByRole('heading', { name: 'No request waits' }).waitFor();
  const page = await visit({ as: 'owner' });
  await page.goto('/keys');
  await page.getByRole('link', { name: 'A program asked for a key.' }).click();
  await page.getByRole('row', { name: /asked for a new key/ }).waitFor();
  same(await looks(page), [], 'the list');
  await shot(page, 'key-requests-waiting');
  await page.getByRole('link', { name: 'asked for' }).click();
  await page.waitForURL(new RegExp(`/key-requests/${keyRequest.id}$`));
  same(await looks(page), [], 'the request');
  await page.getByRole('button', { name: 'Create the key and show its value' }).click();
  await page.getByText(/^kw_live_/).first().waitFor();
  await page.goto('/key-requests');
  await page.getByRole('heading', { name: 'No request waits' }).waitFor();
  await page.goto(`/key-requests/${keyRequest.id}`);
  await page.getByText('The request was confirmed already.').waitFor();
  same(await looks(page), [], 'a request that has ended');

  const rotation = (await api('POST', `/api-keys/${keyRequest.keyId}/key-requests`, {})).keyRequest;
  const phone = await visit({ as: 'owner', width: 360 });
  await phone.goto(`/key-requests/${rotation.id}`);
  same(await looks(phone, { axeToo: false }), [], 'a rotation on a phone');
  await shot(phone, 'key-request-rotation-phone', { fullPage: true });
  await phone.getByRole('button', { name: 'Decline' }).click();
  await phone.getByText('The request was declined. No value was made.').waitFor();
  await api('DELETE', `/api-keys/${keyRequest.keyId}`);
});

story('the usage page says what is left of the plan', async () => {
  const page = await visit({ as: 'owner' });
  await page.goto('/usage');
  same(await page.getByRole('heading', { name: 'Plan', exact: true }).count(), 0, 'a plan that there is not');
  await api('PUT', `/workspaces/${setup.ids.workspace}/plan`, { requestsPerMinute: 500, requestsPerDay: 100000 });
  try {
    await page.goto('/usage');
    const plan = page.locator('section', { has: page.getByRole('heading', { name: 'Plan', exact: true }) });
    await plan.getByText(/of 500/).waitFor();
    await plan.getByText(/of 100,000/).waitFor();
    same(await looks(page), [], 'the plan');
    await shot(page, 'usage-plan');
  } finally {
    await api('PUT', `/workspaces/${setup.ids.workspace}/plan`, {});
  }
});
