// What people do about people: roles, members, settings, the log, service keys, sessions.
import { forget, looks, same, setup, shot, story, visit, want } from './harness.mjs';
import { verdict } from './keys.mjs';

story('a viewer sees no button that would be refused, and is refused all the same', async () => {
  const page = await visit({ as: 'viewer' });
  const forms = [];
  for (const path of ['/', '/keys', '/usage', '/members', '/roles', `/roles/${setup.ids.role}`, '/log', '/settings', '/webhooks', `/webhooks/${setup.ids.webhook}`, '/catalogue']) {
    const answer = await page.goto(path);
    same(answer.status(), 200, path);
    forms.push(...await page.locator('main form[method="post"], main a.btn').evaluateAll((all) => all.map((e) => e.getAttribute('action') ?? e.getAttribute('href'))));
  }
  const harmless = forms.filter((f) => !f.startsWith('/log/export') && !f.startsWith('/usage/export') && !f.startsWith('/keys?') && f !== '/keys' && f !== '/log' && !f.startsWith('/log?'));
  same(harmless, [], 'what a viewer is offered');
  for (const [path, body] of [['/keys/new', 'name=x&preset=read&expiry=30&do=make&user=eve&environment=live'], ['/members', 'user=mallory&email=m%40example.com'],
    ['/roles', 'name=mine&perm=calls%3Aread'], ['/settings', 'name=Mine&mode=frozen'], ['/members/bob/remove', 'keys=stop'],
    [`/keys/${setup.ids.key}/delete`, ''], [`/keys/${setup.ids.key}/rotate`, 'overlap=0'], [`/keys/${setup.ids.key}/state`, 'active=false'], ['/service-keys', 'name=x&scope=root'], ['/webhooks', 'url=https%3A%2F%2Fexample.com&event=api_key.created'], [`/webhooks/${setup.ids.webhook}/delete`, '']]) {
    const status = await page.evaluate(async ([p, b]) => (await fetch(p, { method: 'POST', body: new URLSearchParams(b) })).status, [path, body]);
    want([403, 404, 422].includes(status), `${path} answers ${status}`);
  }
  same(await verdict(setup.value), 'VALID', 'after all that');
});

story('an admin makes a role, sees whom a change concerns, and gives it to a member', async () => {
  const page = await visit({ as: 'admin' });
  await page.goto('/roles/new');
  await page.getByLabel('Name', { exact: true }).fill('Listener');
  await page.locator('input[value="calls:read"]').check();
  want(await page.locator('input[value="workspace:delete"]').isDisabled(), 'an admin can pass on what they do not hold');
  await page.getByRole('button', { name: 'Create role' }).click();
  await page.getByRole('link', { name: 'Listener' }).waitFor();
  await page.goto('/members');
  await page.getByRole('link', { name: 'Change… the role of dan' }).click();
  await page.getByLabel('Role', { exact: true }).selectOption({ label: 'Listener' });
  await page.getByRole('button', { name: 'Review the change…' }).click();
  await page.locator('.note', { hasText: /−\d+ permissions/ }).waitFor();
  want((await page.locator('main').textContent()).includes('Keys of dan keep it'), 'what becomes of the keys is not said');
  await page.getByRole('button', { name: 'Make dan Listener' }).click();
  await page.getByText('dan is Listener now, and was Member').waitFor();
  await page.goto('/roles');
  await page.getByRole('link', { name: 'Listener' }).click();
  await page.locator('input[value="chat:read"]').check();
  await page.getByRole('button', { name: 'Review the change…' }).click();
  await page.getByText('This concerns 1 member at once.').waitFor();
  want((await page.locator('main').textContent()).includes('dan'), 'the member is not named');
  await page.getByRole('button', { name: 'Save the change' }).click();
  await page.getByText('Role “Listener” is changed: it has 2 permissions now.').waitFor();
});

for (const [theme, width] of [['light', 1280], ['dark', 360]]) {
  story(`a role is given to a person after its difference was shown, ${theme}, ${width} px`, async () => {
    const page = await visit({ as: 'owner', theme, width });
    await page.goto('/members');
    await page.getByRole('link', { name: 'Change… the role of bob' }).click();
    const chosen = await looks(page);
    want(chosen.length === 0, chosen.join('\n'));
    await page.getByLabel('Role', { exact: true }).selectOption({ label: 'Admin' });
    await page.getByRole('button', { name: 'Review the change…' }).click();
    await page.locator('.note', { hasText: /\+\d+ permissions, can administer/ }).waitFor();
    await shot(page, `member-role-${theme}-${width}`, { fullPage: true });
    const wrong = await looks(page);
    want(wrong.length === 0, wrong.join('\n'));
    await page.getByRole('link', { name: 'Cancel' }).click();
    want((await page.getByRole('row', { name: /bob/ }).textContent()).includes('Support'), 'the role is another after a look');
  });
}

story('an owner removes a member after seeing exactly which keys stop', async () => {
  const page = await visit({ as: 'owner' });
  await page.goto('/members/leo/remove');
  await page.getByText('1 key stops').waitFor();
  await page.getByText('leo leaves').waitFor();
  await page.getByLabel('Hand them over').check();
  await page.getByLabel('To whom').selectOption('ada');
  await page.getByRole('button', { name: 'Show what happens' }).click();
  await page.getByText('goes to ada').waitFor();
  await page.getByRole('button', { name: 'Remove leo' }).click();
  await page.getByText('Removed from the workspace.').waitFor();
  same(await verdict(setup.leos), 'VALID', 'a key that was handed over');
  await page.goto('/log?type=member.removed');
  await page.locator('.events', { hasText: /removed leo: 1 key transferred/ }).waitFor();
  await shot(page, 'log-removed', { fullPage: true });
  await page.getByRole('link', { name: /^Details/ }).first().click();
  await page.locator('aside.beside del').first().waitFor();
  const odd = await looks(page);
  want(odd.length === 0, odd.join('\n'));
  await shot(page, 'log-details', { fullPage: true });
});

story('settings bind the keys that are made from then on', async () => {
  const page = await visit({ as: 'owner' });
  await page.goto('/settings');
  await page.getByLabel('Longest lifetime of a key, in days').fill('30');
  await page.getByLabel('Every key has to expire').check();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Settings of “Acme” are changed.').waitFor();
  await page.goto('/keys/new');
  await page.getByText('Edit', { exact: true }).click();
  await page.getByText('This workspace allows keys to live for at most 30 days.').waitFor();
  same(await page.locator('input[name="expiry"][value="never"]').count(), 0, 'never');
  await page.goto('/settings');
  await page.getByLabel('Longest lifetime of a key, in days').fill('');
  await page.getByLabel('Every key has to expire').uncheck();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Settings of “Acme” are changed.').waitFor();
  await page.getByLabel('Type “Acme” to confirm').first().fill('acme');
  await page.getByRole('button', { name: 'Deactivate' }).click();
  await page.getByText('to the letter').waitFor();
  same(await verdict(setup.value), 'VALID', 'after a wrong name');
});

story('the log is exported with formulas made harmless', async () => {
  const page = await visit({ as: 'owner' });
  await page.goto('/log');
  const csv = await page.evaluate(async () => (await fetch('/log/export?format=csv')).text());
  want(csv.startsWith('"id","workspaceId"'), csv.slice(0, 80));
  for (const line of csv.split('\r\n')) want(!/(^|,)"[=+@-]/.test(line), `a formula: ${line}`);
  same((await page.evaluate(async () => (await fetch('/log/export?format=exe')).status)), 400);
});

story('the root makes a workspace and a service key that is shown once', async () => {
  const page = await visit({ as: 'root' });
  await page.goto('/workspaces');
  await page.getByLabel('Name', { exact: true }).fill('Globex');
  await page.getByLabel("Owner's user id").fill('hank');
  await page.getByLabel("Owner's e-mail").fill('hank@example.com');
  await page.getByRole('button', { name: 'Create workspace' }).click();
  await page.getByText('Workspace “Globex” is created.').waitFor();
  await page.getByRole('link', { name: 'Done' }).click();
  await page.getByText('Globex').first().waitFor();
  await page.getByRole('button', { name: /Open.*Globex/ }).click();
  await page.waitForURL(setup.url + '/');
  await page.getByRole('heading', { name: 'Globex' }).waitFor();
  await page.goto('/service-keys');
  await page.getByLabel('Name', { exact: true }).fill('gateway');
  await page.getByRole('button', { name: 'Create service key' }).click();
  const value = (await page.locator('#value').textContent()).trim();
  want(/^kw_svc_[0-9A-Za-z]{49}$/.test(value), 'no value');
  await page.reload();
  want(!(await page.content()).includes(value), 'a reload shows it');
  await page.getByText('gateway').first().waitFor();
  forget('root');
});

story('sessions are listed, and one that is ended is out', async () => {
  const page = await visit({ as: 'leaver' });
  await page.goto('/sessions');
  await page.getByText('this one').waitFor();
  await page.getByRole('button', { name: /^End/ }).first().click();
  await page.waitForURL(/signin/);
  await page.goto('/keys');
  await page.waitForURL(/signin\?return=%2Fkeys/);
});
