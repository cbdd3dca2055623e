// A removal that is undone: from the sentence after it, and from the list of members for ten minutes.
import { api, looks, same, setup, shot, story, visit, want } from './harness.mjs';
import { verdict } from './keys.mjs';

const workspaceId = setup.ids.workspace;

const red = (page) => page.locator('main button.danger');

const hire = async (userId, displayName, keys = 2) => {
  await api('PUT', `/workspaces/${workspaceId}/members/${userId}`, { email: `${userId}@acme.example`, displayName, roleId: setup.ids.member });
  const values = [];
  for (let n = 1; n <= keys; n++) values.push((await api('POST', '/api-keys', { workspaceId, userId, name: `${userId} ${n}`, permissions: ['calls:read'] })).key);
  return values;
};

for (const [theme, width] of [['light', 1440], ['dark', 360]]) {
  story(`a removal is undone at once and from the list, ${theme}, ${width} px`, async () => {
    const user = `rosa${width}`;
    const [first, second] = await hire(user, 'Rosa Parks');
    for (let n = 0; n < 3; n++) await verdict(second);
    const page = await visit({ as: 'owner', theme, width });
    await page.goto('/members');
    let wrong = await looks(page);
    want(wrong.length === 0, wrong.join('\n'));
    await shot(page, `people-${theme}-${width}`, { fullPage: true });
    want(await page.locator('.people .danger, .people .bad').count() === 0, 'red in the table');
    await page.locator(`summary[aria-label="Actions for ${user}"]`).click();
    await page.getByRole('link', { name: `Remove… ${user}` }).click();
    await page.locator('[data-fate] tbody tr').first().waitFor();
    const rows = await page.locator('[data-fate] tbody tr').allTextContents();
    want(rows[0].includes(`${user} 2`) && rows[0].includes('3'), `the busiest key is not the first: ${rows}`);
    await page.getByRole('button', { name: 'Remove Rosa Parks and stop 2 keys' }).waitFor();
    await page.getByLabel(`What happens to ${user} 1`).selectOption('Hand over');
    await page.getByText('Choose who takes them over.').waitFor();
    want(await red(page).isDisabled(), 'a key can be handed to an unnamed member');
    await page.getByLabel(`What happens to ${user} 1`).selectOption('Keep');
    const sure = page.getByRole('button', { name: 'Remove Rosa Parks and stop 1 key (1 stays)' });
    await sure.waitFor();
    const kept = page.locator('[data-fate] tr', { hasText: `${user} 1` });
    same(await kept.locator('[data-then]').textContent(), 'stays', 'the row of the key');
    await shot(page, `leave-${theme}-${width}`, { fullPage: true });
    wrong = await looks(page);
    want(wrong.length === 0, wrong.join('\n'));
    await sure.click();
    await page.getByText('Rosa Parks was removed from the workspace. 1 key stops and 1 key stays.').waitFor();
    same([await verdict(first), await verdict(second)], ['VALID', 'DISABLED'], 'after the removal');
    await shot(page, `undo-${theme}-${width}`, { fullPage: true });
    await page.locator('.said').getByRole('button', { name: 'Undo' }).click();
    await page.getByText('Rosa Parks is a member again, as Member. 1 key works again and 1 key is theirs again.').waitFor();
    same([await verdict(first), await verdict(second)], ['VALID', 'VALID'], 'after the undoing');

    await page.goto(`/members/${user}/remove`);
    await page.getByRole('button', { name: 'Remove Rosa Parks and stop 2 keys' }).click();
    await page.getByText('Rosa Parks was removed').waitFor();
    const key = (await api('GET', `/api-keys?workspaceId=${workspaceId}&userId=${user}`)).apiKeys[0];
    await api('PUT', '/api-keys', { apiKeys: [{ id: key.id, description: 'seen' }] });
    await page.goto('/members');
    await page.getByRole('button', { name: `Undo the removal of ${user}` }).click();
    await page.getByText('was changed since').waitFor();
    wrong = await looks(page);
    want(wrong.length === 0, wrong.join('\n'));
    same(await verdict(first), 'DISABLED', 'past a change');
  });
}

story('a removal after a leak offers no undoing', async () => {
  await hire('sven', 'Sven Olsen', 1);
  const page = await visit({ as: 'owner' });
  await page.goto('/members/sven/remove');
  await page.getByLabel('Their credentials may have leaked').check();
  await page.getByText('After a leak this cannot be undone.').waitFor();
  await page.getByRole('button', { name: 'Remove Sven Olsen and stop 1 key' }).click();
  await page.getByText('Sven Olsen was removed').waitFor();
  same(await page.getByRole('button', { name: /Undo/ }).filter({ hasText: 'sven' }).count(), 0, 'an undoing');
  same(await page.locator('.said button').count(), 0, 'an undoing beside the sentence');
});

for (const [theme, width] of [['light', 1440], ['dark', 360]]) {
  story(`the log tells in verbs, with the difference beside it, ${theme}, ${width} px`, async () => {
    const user = `tove${width}`;
    await hire(user, 'Tove Jansson', 1);
    await api('PATCH', `/workspaces/${workspaceId}/members/${user}`, { roleId: setup.ids.viewer });
    const key = (await api('GET', `/api-keys?workspaceId=${workspaceId}&userId=${user}`)).apiKeys[0];
    await api('PUT', '/api-keys', { apiKeys: [{ id: key.id, rateLimit: { requestsPerMinute: 60 } }] });
    await api('PUT', '/api-keys', { apiKeys: [{ id: key.id, rateLimit: { requestsPerMinute: 30 } }] });
    await api('PUT', '/api-keys', { apiKeys: [{ id: key.id, isActive: false }] });
    const page = await visit({ as: 'owner', theme, width });
    await page.goto('/log');
    const told = await page.locator('.events li').allTextContents();
    for (const sentence of [`disabled the key ${user} 1`, `changed the key ${user} 1: limit per minute 60 → 30`, 'made Tove Jansson Viewer (was Member)',
      'added Tove Jansson as Member']) want(told.some((one) => one.includes(sentence)), `no line says “${sentence}”: ${told.slice(0, 8)}`);
    await page.locator('h2.day', { hasText: 'Today' }).waitFor();
    await page.locator('.events li', { hasText: '60 → 30' }).first().getByRole('link', { name: /^Details/ }).click();
    await page.locator('aside.beside ins', { hasText: '30' }).waitFor();
    await shot(page, `log-${theme}-${width}`, { fullPage: width !== 360 });
    const wrong = await looks(page);
    want(wrong.length === 0, wrong.join('\n'));
    await page.getByRole('link', { name: 'Key updated' }).click();
    want((await page.locator('.events li').allTextContents()).every((one) => !one.includes('signed in')), 'the chip filters nothing');
    await page.locator('.events li', { hasText: `disabled the key ${user}` }).first().getByRole('link', { name: `${user} 1`, exact: true }).click();
    await page.waitForURL(new RegExp(`/keys/${key.id}`));
  });
}
