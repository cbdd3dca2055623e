// What is chosen on a page is what is done: nothing else, and nothing that the page did not show.
import { api, looks, same, setup, shots, story, visit, want } from './harness.mjs';
import { verdict } from './keys.mjs';

const workspaceId = setup.ids.workspace;

// hire makes a member with keys, one for each list of permissions, and gives the values of the keys.
const hire = async (userId, displayName, roleId, ...keys) => {
  await api('PUT', `/workspaces/${workspaceId}/members/${userId}`, { email: `${userId}@acme.example`, displayName, roleId });
  const values = [];
  for (const [i, permissions] of keys.entries()) {
    values.push((await api('POST', '/api-keys', { workspaceId, userId, name: `${userId} ${i + 1}`, permissions })).key);
  }
  return values;
};

const verdicts = (values) => Promise.all(values.map((value) => verdict(value)));
const stays = async (userId) => (await api('GET', `/workspaces/${workspaceId}/members`)).members.some((m) => m.userId === userId);
const red = (page) => page.locator('main button.danger');

for (const [theme, width] of [['light', 1280], ['dark', 360]]) {
  story(`a member leaves as the screen says, whatever was shown before, ${theme}, ${width} px`, async () => {
    const user = `nora${width}`;
    const values = await hire(user, 'Nora Barlow', setup.ids.support, ['calls:read'], ['calls:read', 'chat:read'], ['calls:write']);
    const page = await visit({ as: 'owner', theme, width });
    await page.goto(`/members/${user}/remove`);
    await red(page).filter({ hasText: 'Remove Nora Barlow and stop 3 keys' }).waitFor();
    await page.getByLabel('Hand them over').check();
    want(await red(page).isDisabled(), 'the keys can be handed to an unnamed member');
    await page.getByLabel('To whom').selectOption('mal'); // whose answer is late
    await page.getByLabel('To whom').selectOption('dora'); // holds less than a supporter in one thing: writing calls
    await red(page).filter({ hasText: 'Remove Nora Barlow and hand' }).filter({ hasText: 'Dora Marsden' }).waitFor();
    const sentence = await red(page).textContent();
    const rows = await page.locator('[data-fate] tbody tr').allTextContents();
    same(rows.length, 3, 'keys in the preview');
    await page.screenshot({ path: `${shots}/member-hand-over-${theme}-${width}.png`, fullPage: true });
    const wrong = await looks(page);
    want(wrong.length === 0, wrong.join('\n'));
    await red(page).click();
    await page.getByText('Removed from the workspace').waitFor();
    same(await stays(user), false, 'the member');
    const stopped = (await verdicts(values)).filter((v) => v !== 'VALID').length;
    same(stopped, rows.filter((r) => r.includes('stops')).length, `keys that stopped, under “${sentence}”`);
    const moved = await api('GET', `/api-keys?workspaceId=${workspaceId}&userId=dora&search=${user}`);
    same(moved.apiKeys.length, 3 - stopped, 'keys that dora has now');
  });
}

story('a removal that differs from what the page showed is refused, without scripts too', async () => {
  const values = await hire('otis', 'Otis Boykin', setup.ids.member, ['calls:read'], ['chat:read']);
  const page = await visit({ as: 'owner' });
  const plain = await page.context().browser().newContext({ javaScriptEnabled: false, baseURL: setup.url });
  await plain.addCookies(await page.context().cookies());
  const bare = await plain.newPage();
  await bare.goto('/members/otis/remove');
  await bare.getByLabel('Keep them').check();
  await red(bare).click();
  await bare.getByText('Nothing is done yet').waitFor();
  same([await stays('otis'), await verdicts(values)], [true, ['VALID', 'VALID']], 'after a choice that was not shown');
  await bare.screenshot({ path: `${shots}/member-refused.png`, fullPage: true });
  same(await bare.getByLabel('Keep them').isChecked(), true, 'the choice');
  await api('POST', '/api-keys', { workspaceId, userId: 'otis', name: 'otis 3', permissions: ['calls:read'] });
  await bare.getByRole('button', { name: 'Remove Otis Boykin and keep 2 keys' }).click();
  await bare.getByRole('button', { name: 'Remove Otis Boykin and keep 3 keys' }).waitFor();
  same(await stays('otis'), true, 'after a key that the page did not show');
  await bare.getByLabel('Hand them over').check();
  await bare.getByRole('button', { name: 'Show what happens' }).click();
  await bare.locator('.error', { hasText: 'Choose who takes them over.' }).waitFor();
  await bare.getByLabel('To whom').selectOption('dan');
  await bare.getByRole('button', { name: 'Show what happens' }).click();
  await bare.getByRole('button', { name: 'Remove Otis Boykin and hand 3 keys to dan' }).click();
  await bare.getByText('Removed from the workspace').waitFor();
  same([await stays('otis'), await verdicts(values)], [false, ['VALID', 'VALID']], 'after the removal');
  await page.goto('/members');
  for (const body of ['keys=stop', 'keys=transfer&heir=ada', 'keys=keep&preview=stop']) {
    const status = await page.evaluate(async (b) => (await fetch('/members/bob/remove', { method: 'POST', body: new URLSearchParams(b) })).status, body);
    same([status, await stays('bob')], [422, true], body);
  }
});

const chosen = (page) => page.locator('[data-tree] input:checked').evaluateAll((all) => all.map((box) => box.value));

for (const [theme, width] of [['light', 1280], ['dark', 360]]) {
  story(`a key with one permission takes six clicks at most, and has no other, ${theme}, ${width} px`, async () => {
    const page = await visit({ as: 'developer', theme, width });
    await page.goto('/keys');
    let clicks = 0;
    const click = async (what) => { clicks++; await what.click(); };
    await click(page.getByRole('link', { name: 'Create key' }));
    await page.waitForURL(/keys\/new/);
    same([await chosen(page), await page.locator('[data-chosen]').textContent()], [[], '0 permissions chosen'], 'at the start');
    want(await page.evaluate(() => document.activeElement.id === 'name'), 'the name is not where one types first');
    await page.keyboard.type(`one permission ${width}`);
    await click(page.getByLabel('Search permissions'));
    await page.keyboard.type('read chat'); // words in any order
    await click(page.locator('input[value="chat:read"]'));
    same(await page.locator('[data-chosen]').textContent(), '1 permission chosen');
    await page.locator('[data-summary]', { hasText: 'It may do chat:read, and nothing else.' }).waitFor();
    await page.screenshot({ path: `${shots}/new-key-one-${theme}-${width}.png`, fullPage: true });
    const wrong = await looks(page);
    want(wrong.length === 0, wrong.join('\n'));
    await click(page.getByRole('button', { name: 'Create key' }));
    const value = (await page.locator('#value').textContent()).trim();
    want(clicks <= 6, `${clicks} clicks`);
    same([await verdict(value, ['chat:read']), await verdict(value, ['calls:read'])], ['VALID', 'INSUFFICIENT_PERMISSIONS']);
  });
}

story('ticks of a preset do not stay in a choice of one\'s own, with and without scripts', async () => {
  const page = await visit({ as: 'developer' });
  await page.goto('/keys/new');
  await page.getByLabel('Read only').check();
  want((await chosen(page)).length > 3, 'the preset ticks nothing');
  await page.getByLabel('As chosen below').check();
  same(await chosen(page), [], 'after the preset');
  await page.getByLabel('Everything I hold').check();
  await page.getByLabel('As chosen below').check();
  same(await page.locator('[data-chosen]').textContent(), '0 permissions chosen');

  const plain = await page.context().browser().newContext({ javaScriptEnabled: false, baseURL: setup.url });
  await plain.addCookies(await page.context().cookies());
  const bare = await plain.newPage();
  await bare.goto('/keys/new');
  same(await chosen(bare), [], 'without scripts, at the start');
  await bare.getByLabel('Name', { exact: true }).fill('plain one');
  await bare.getByLabel('Read only').check();
  await bare.getByRole('button', { name: 'Update summary' }).click();
  want((await chosen(bare)).length > 3, 'the preset ticks nothing without scripts');
  await bare.getByLabel('As chosen below').check();
  await bare.getByRole('button', { name: 'Update summary' }).click();
  same(await chosen(bare), [], 'without scripts, after the preset');
  await bare.locator('summary', { hasText: /^\s*chat/ }).click();
  await bare.locator('input[value="chat:read"]').check();
  await bare.getByRole('button', { name: 'Create key' }).click();
  const value = (await bare.locator('#value').textContent()).trim();
  same([await verdict(value, ['chat:read']), await verdict(value, ['calls:read'])], ['VALID', 'INSUFFICIENT_PERMISSIONS']);
});

story('another owner of a key brings another tree', async () => {
  await hire('pia', 'Pia Sundhage', setup.ids.support);
  const page = await visit({ as: 'owner' });
  await page.goto('/keys/new');
  await page.getByLabel('Search permissions').fill('write calls');
  await page.locator('input[value="calls:write"]').check();
  await page.getByLabel('Search permissions').fill('agents write');
  await page.locator('input[value="agents:write"]').check();
  await page.getByLabel('Whose key').selectOption('pia');
  await page.locator('label', { has: page.locator('input[value="agents:write"]') }).getByText('Pia Sundhage does not hold this.').waitFor({ state: 'attached' });
  same([await chosen(page), await page.locator('[data-chosen]').textContent()], [['calls:write'], '1 permission chosen']);
  want(await page.locator('input[value="agents:write"]').isDisabled(), 'what she does not hold can be chosen');
  await page.getByLabel('Read only').check();
  const pias = await chosen(page);
  await page.getByLabel('Whose key').selectOption('ada');
  await page.waitForFunction((n) => document.querySelectorAll('[data-tree] input:checked').length > n, pias.length);
  want(!(await page.locator('input[value="agents:write"]').isDisabled()), 'what the owner holds cannot be chosen');
  await page.getByLabel('Whose key').selectOption('pia');
  await page.waitForFunction((n) => document.querySelectorAll('[data-tree] input:checked').length === n, pias.length);
  same(await chosen(page), pias, 'read only, back at the first owner');
});
