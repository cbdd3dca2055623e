// What is chosen on a page is what is done: nothing else, and nothing that the page did not show.
import { api, looks, same, setup, shot, story, visit, want } from './harness.mjs';
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
    await shot(page, `member-hand-over-${theme}-${width}`, { fullPage: true });
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
  await shot(bare, 'member-refused', { fullPage: true });
  same(await bare.getByLabel('Keep them').isChecked(), true, 'the choice');
  await api('POST', '/api-keys', { workspaceId, userId: 'otis', name: 'otis 3', permissions: ['calls:read'] });
  await bare.getByRole('button', { name: 'Remove Otis Boykin and keep 2 keys' }).click();
  await bare.getByRole('button', { name: 'Remove Otis Boykin and keep 3 keys' }).waitFor();
  same(await stays('otis'), true, 'after a key that the page did not show');
  await bare.getByLabel('Hand them over').check();
  await bare.getByRole('button', { name: 'Show what happens' }).click();
  await bare.locator('.error', { hasText: 'Choose who takes them over.' }).waitFor();
  await bare.getByLabel('To whom').selectOption('dan');
  await bare.getByLabel('What happens to otis 1').selectOption('Stop');
  await bare.getByRole('button', { name: 'Update' }).click();
  await bare.getByRole('button', { name: 'Remove Otis Boykin and hand 2 keys to dan (1 stops)' }).waitFor();
  await bare.getByLabel('What happens to otis 1').selectOption('Keep');
  await red(bare).click();
  await bare.getByText('Nothing is done yet').waitFor();
  same(await stays('otis'), true, 'after a choice for a key that was not shown');
  await bare.getByLabel('What happens to otis 1').selectOption('Stop');
  await bare.getByRole('button', { name: 'Update' }).click();
  await bare.getByRole('button', { name: 'Remove Otis Boykin and hand 2 keys to dan (1 stops)' }).click();
  await bare.getByText('Removed from the workspace').waitFor();
  same([await stays('otis'), await verdicts(values)], [false, ['DISABLED', 'VALID']], 'after the removal');
  await page.goto('/members');
  for (const body of ['keys=stop', 'keys=transfer&heir=ada', 'keys=keep&preview=stop']) {
    const status = await page.evaluate(async (b) => (await fetch('/members/bob/remove', { method: 'POST', body: new URLSearchParams(b) })).status, body);
    same([status, await stays('bob')], [422, true], body);
  }
});

const chosen = (page) => page.locator('[data-picks] input[name="perm"]:checked').evaluateAll((all) => all.map((box) => box.value));
const footer = async (page) => (await page.locator('.foot p').first().textContent()).trim();
const segment = (page, resource, word) => page.getByRole('group', { name: resource, exact: true }).getByLabel(word, { exact: true });

for (const [theme, width] of [['light', 1280], ['dark', 360]]) {
  story(`a key with one permission takes six clicks at most, and has no other, ${theme}, ${width} px`, async () => {
    const page = await visit({ as: 'developer', theme, width });
    await page.goto('/keys');
    let clicks = 0;
    const click = async (what) => { clicks++; await what.click(); };
    await click(page.getByRole('link', { name: 'Create key' }));
    await page.waitForURL(/keys\/new/);
    same([await chosen(page), (await footer(page)).split(' · ')[0]], [[], 'No permissions yet'], 'at the start');
    want(await page.evaluate(() => document.activeElement.id === 'name'), 'the name is not where one types first');
    await page.keyboard.type(`one permission ${width}`);
    await click(page.getByLabel('Search permissions'));
    await page.keyboard.type('chats see'); // of the meaning, in any order
    await click(page.locator('input[value="chat:read"]'));
    same(await page.getByRole('button', { name: 'Remove chat:read' }).count(), 1, 'chips');
    want(/^1 permission, read only · expires \d+ \w{3} \d{4}$/.test(await footer(page)), await footer(page));
    await shot(page, `new-key-one-${theme}-${width}`, { fullPage: true });
    const wrong = await looks(page);
    want(wrong.length === 0, wrong.join('\n'));
    await click(page.getByRole('button', { name: 'Create key' }));
    const value = (await page.locator('#value').textContent()).trim();
    want(clicks <= 6, `${clicks} clicks`);
    same([await verdict(value, ['chat:read']), await verdict(value, ['calls:read'])], ['VALID', 'INSUFFICIENT_PERMISSIONS']);
    await shot(page, `reveal-${theme}-${width}`, { fullPage: true });
    want((await looks(page)).length === 0, (await looks(page)).join('\n'));
  });
}

story('a key is created from the keyboard: name, search, Enter, Enter', async () => {
  const page = await visit({ as: 'developer' });
  await page.goto('/keys/new');
  await page.keyboard.type('from the keyboard');
  await page.getByLabel('Search permissions').focus();
  await page.keyboard.type('chat see');
  await page.getByText('1 match.').waitFor();
  await page.keyboard.press('Enter');
  same(await chosen(page), ['chat:read']);
  await page.getByLabel('Name', { exact: true }).focus();
  await page.keyboard.press('Enter');
  const value = (await page.locator('#value').textContent()).trim();
  same([await verdict(value, ['chat:read']), await verdict(value, ['calls:read'])], ['VALID', 'INSUFFICIENT_PERMISSIONS']);
});

story('segments, chips, templates and Undo choose what they say', async () => {
  const page = await visit({ as: 'owner' });
  await page.goto('/keys/new');
  await segment(page, 'calls', 'Write').check();
  same(await chosen(page), ['calls:read', 'calls:write', 'calls:metrics-read', 'calls:logs-read', 'calls:cdr-read'], 'calls: Write');
  await segment(page, 'calls', 'Read').check();
  same(await chosen(page), ['calls:read', 'calls:metrics-read', 'calls:logs-read', 'calls:cdr-read'], 'calls: Read');
  await page.getByRole('button', { name: 'Remove calls:logs-read' }).click();
  want(await segment(page, 'calls', 'Custom').isChecked(), 'a part of Read is not Custom');
  const mine = await chosen(page);
  for (const template of ['Read everything', 'Everything I have']) {
    await page.getByText('Templates', { exact: true }).click();
    await page.getByRole('button', { name: template }).click();
    await page.locator('[data-filled]', { hasText: template }).waitFor();
    want((await chosen(page)).length > 20, template);
    await page.getByRole('button', { name: 'Undo' }).click();
    same(await chosen(page), mine, `after ${template} and Undo`);
  }
  await page.getByText('Templates', { exact: true }).click();
  await page.getByLabel('Copy from a key').selectOption({ label: await page.locator('#like option', { hasText: 'Quality dashboard' }).textContent() });
  await page.getByRole('button', { name: 'Copy', exact: true }).click();
  await page.getByText('Copied from “Quality dashboard”: 2 permissions.').waitFor();
  same(await chosen(page), ['reviews:read', 'insights:read'], 'copied');
  await segment(page, 'insights', 'None').check();
  same([await chosen(page), (await footer(page)).split(' · ')[0]], [['reviews:read'], '1 permission, read only']);

  const plain = await page.context().browser().newContext({ javaScriptEnabled: false, baseURL: setup.url });
  await plain.addCookies(await page.context().cookies());
  const bare = await plain.newPage();
  await bare.goto('/keys/new');
  await bare.getByLabel('Name', { exact: true }).fill('plain one');
  await segment(bare, 'chat', 'Read').check();
  await bare.getByText('Templates', { exact: true }).click();
  await bare.getByRole('button', { name: 'Read everything' }).click();
  await bare.locator('[data-filled]', { hasText: 'Read everything' }).waitFor();
  want((await chosen(bare)).length > 20, 'the template ticks nothing without scripts');
  await bare.getByRole('button', { name: 'Undo' }).click();
  same(await chosen(bare), ['chat:read'], 'without scripts, after Undo');
  await segment(bare, 'calls', 'Custom').check();
  await bare.locator('input[value="calls:export"]').check();
  await bare.getByRole('button', { name: 'Create key' }).last().click();
  const value = (await bare.locator('#value').textContent()).trim();
  same([await verdict(value, ['chat:read', 'calls:export']), await verdict(value, ['calls:read'])], ['VALID', 'INSUFFICIENT_PERMISSIONS']);
});

story('another owner of a key brings other permissions', async () => {
  await hire('pia', 'Pia Sundhage', setup.ids.support);
  const page = await visit({ as: 'owner' });
  await page.goto('/keys/new');
  await segment(page, 'agents', 'Write').check();
  await segment(page, 'calls', 'Custom').check();
  await page.locator('input[value="calls:write"]').check();
  await page.getByLabel('Owner').selectOption('pia');
  await page.locator('.lacks summary', { hasText: /^\d+ hidden: Pia Sundhage doesn't have them$/ }).waitFor();
  same([await chosen(page), (await footer(page)).split(' · ')[0]], [['calls:write'], '1 permission, can change things']);
  await page.getByText(/Taken out, because Pia Sundhage doesn't have them: agents:read, agents:write/).waitFor();
  want(await page.getByRole('group', { name: 'agents', exact: true }).count() === 0, 'what she does not hold can be chosen');
  await page.getByText('Templates', { exact: true }).click();
  await page.getByRole('button', { name: 'Everything Pia Sundhage has' }).click();
  await page.getByText('Everything Pia Sundhage has: 7 permissions.').waitFor();
  const pias = await chosen(page);
  await page.getByLabel('Owner').selectOption('ada');
  await page.getByRole('group', { name: 'agents', exact: true }).waitFor();
  same(await chosen(page), pias, 'back at the first owner');
  await page.getByLabel('Name', { exact: true }).fill('for pia');
  await page.getByLabel('Owner').selectOption('pia');
  await page.getByRole('group', { name: 'agents', exact: true }).waitFor({ state: 'detached' }).catch(() => {});
  await page.getByRole('button', { name: 'Create key' }).click();
  const value = (await page.locator('#value').textContent()).trim();
  same([await verdict(value, ['calls:write', 'workspace:read']), await verdict(value, ['agents:read'])], ['VALID', 'INSUFFICIENT_PERMISSIONS']);
});

story('a page that shows another owner\'s permissions creates nothing, without scripts', async () => {
  const page = await visit({ as: 'owner' });
  const plain = await page.context().browser().newContext({ javaScriptEnabled: false, baseURL: setup.url });
  await plain.addCookies(await page.context().cookies());
  const bare = await plain.newPage();
  await bare.goto('/keys/new');
  await bare.getByLabel('Name', { exact: true }).fill('for eve');
  await segment(bare, 'calls', 'Write').check();
  await bare.getByLabel('Owner').selectOption('dora');
  await bare.getByRole('button', { name: 'Create key' }).last().click();
  await bare.getByText('Nothing is done yet: the permissions are those that Dora Marsden can have.').waitFor();
  await bare.getByRole('button', { name: 'Create key' }).last().click();
  const value = (await bare.locator('#value').textContent()).trim();
  same(await verdict(value, ['calls:read']), 'VALID');
});
