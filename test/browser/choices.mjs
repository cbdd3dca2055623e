// What is chosen on a page is what is done: nothing else, and nothing that the page did not show.
import { looks, same, setup, shots, story, visit, want } from './harness.mjs';
import { verdict } from './keys.mjs';

const api = async (method, path, body) => {
  const answer = await fetch(`${setup.url}/api/v2${path}`, {
    method,
    headers: { Authorization: `Bearer ${setup.root}`, 'Content-Type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text).data.result : undefined;
};

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
