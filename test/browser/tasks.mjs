// Five tasks of the people who use the dashboard, each with its clicks counted. A click more than the bound is a failure; the seconds are
// said alone, because they measure the machine. The figures stand in tasks.json beside the pictures.
import { writeFileSync } from 'node:fs';
import { api, looks, same, setup, shot, story, visit, want } from './harness.mjs';
import { verdict } from './keys.mjs';

const workspaceId = setup.ids.workspace;
const figures = {};

// task runs a person's way through the pages, from the overview on. click counts, and so does each choice in a list.
const task = (name, bound, as, way) => {
  story(`task: ${name}, in ${bound} clicks at most`, async () => {
    const page = await visit({ as, width: 1440, height: 900 });
    await page.goto('/');
    let clicks = 0;
    const began = Date.now();
    const click = async (what) => { clicks++; await what.click(); };
    const choose = async (what, option) => { clicks++; await what.selectOption(option); };
    await way({ page, click, choose, type: (text) => page.keyboard.type(text) });
    figures[name] = { clicks, bound, seconds: (Date.now() - began) / 1000 };
    if (setup.shots) writeFileSync(`${setup.shots}/tasks.json`, JSON.stringify(figures, null, 2));
    want(clicks <= bound, `${clicks} clicks`);
  });
};

task('create a key with one permission', 6, 'developer', async ({ page, click, type }) => {
  await click(page.getByRole('link', { name: 'Create key' }).first());
  await page.locator('#name:focus').waitFor();
  await type('task');
  await click(page.getByLabel('Search permissions'));
  await type('read chat');
  await click(page.locator('input[value="chat:read"]'));
  await click(page.getByRole('button', { name: 'Create key' }));
  const value = (await page.locator('#value').textContent()).trim();
  same([await verdict(value, ['chat:read']), await verdict(value, ['calls:read'])], ['VALID', 'INSUFFICIENT_PERMISSIONS']);
});

task('create a key from the keyboard alone', 0, 'developer', async ({ page, type }) => {
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox', { name: 'Go to a page or a key' }).waitFor();
  await type('create');
  await page.keyboard.press('Enter');
  await page.locator('#name:focus').waitFor();
  await type('keyboard task');
  await page.keyboard.press('Enter');
  same(await verdict((await page.locator('#value').textContent()).trim(), ['calls:read']), 'INSUFFICIENT_PERMISSIONS');
});

task('narrow a key', 6, 'owner', async ({ page, click, type }) => {
  await page.keyboard.press('Control+k'); // the list may be long
  await page.getByRole('combobox', { name: 'Go to a page or a key' }).waitFor();
  await type('Nightly report');
  await click(page.getByRole('option', { name: /Nightly report/ }).first());
  await click(page.getByRole('link', { name: 'Edit', exact: true }));
  await click(page.getByRole('link', { name: 'create a key like this one' }));
  await page.locator('#name:focus').waitFor();
  await type('Nightly report, narrower');
  await click(page.getByRole('button', { name: 'Remove calls:read' }));
  await click(page.getByRole('button', { name: 'Create key' }));
  const value = (await page.locator('#value').textContent()).trim();
  same([await verdict(value, ['analytics:read', 'insights:read']), await verdict(value, ['calls:read'])], ['VALID', 'INSUFFICIENT_PERMISSIONS']);
});

task('let a colleague go', 5, 'admin', async ({ page, click }) => {
  await api('PUT', `/workspaces/${workspaceId}/members/tilda`, { email: 'tilda@acme.example', displayName: 'Tilda Swan', roleId: setup.ids.member });
  const { key } = await api('POST', '/api-keys', { workspaceId, userId: 'tilda', name: 'of tilda', permissions: ['calls:read'] });
  await click(page.getByRole('link', { name: 'Members', exact: true }));
  await click(page.locator('summary[aria-label="Actions for tilda"]'));
  await click(page.getByRole('link', { name: 'Remove… tilda' }));
  await click(page.getByRole('button', { name: 'Remove Tilda Swan and stop 1 key' }));
  await page.getByText('Tilda Swan was removed').waitFor();
  same(await verdict(key, ['calls:read']), 'DISABLED');
});

task('let a colleague go, and hand over the keys', 5, 'admin', async ({ page, click, choose }) => {
  await api('PUT', `/workspaces/${workspaceId}/members/toni`, { email: 'toni@acme.example', displayName: 'Toni Erd', roleId: setup.ids.member });
  const { key } = await api('POST', '/api-keys', { workspaceId, userId: 'toni', name: 'of toni', permissions: ['calls:read'] });
  await click(page.getByRole('link', { name: 'Members', exact: true }));
  await click(page.locator('summary[aria-label="Actions for toni"]'));
  await click(page.getByRole('link', { name: 'Remove… toni' }));
  await choose(page.getByLabel('To whom'), 'dora');
  await click(page.getByRole('button', { name: 'Remove Toni Erd and hand 1 key to Dora Marsden' }));
  await page.getByText('Toni Erd was removed').waitFor();
  same(await verdict(key, ['calls:read']), 'VALID');
});

task('invite a colleague', 5, 'admin', async ({ page, click, choose, type }) => {
  await click(page.getByRole('link', { name: 'Members', exact: true }));
  await click(page.getByLabel('User id'));
  await type('ines');
  await page.keyboard.press('Tab');
  await type('ines@acme.example');
  await choose(page.getByLabel('Role', { exact: true }), { label: 'Viewer' });
  await click(page.getByRole('button', { name: 'Add, and create an invitation link' }));
  want((await page.locator('#value').textContent()).includes('/signin/invitation#'), 'no link');
});

// Text is clipped where it is wider than its box and the box hides what is over; a text that can be scrolled or ends in dots of its own will
// is not.
const clipped = (page) => page.evaluate(() => [...document.querySelectorAll('main *, header *')].filter((e) => {
  if (!e.checkVisibility() || e.closest('.sr, .skip, svg, select, datalist, [popover]:not(:popover-open)') || !e.textContent.trim()) return false;
  const style = getComputedStyle(e);
  return style.clipPath === 'none' && style.overflowX === 'hidden' && style.textOverflow !== 'ellipsis' && e.scrollWidth > e.clientWidth + 1;
}).map((e) => `${e.tagName}.${e.className}: ${e.textContent.trim().slice(0, 40)}`));

story('no text is clipped at 360 to 2560 px with the longest names', async () => {
  const long = 'Bartholomew-Maximilian Featherstonehaugh-Cholmondeley von und zu Hohenstein-Waldenburg'.repeat(3);
  await api('PUT', `/workspaces/${workspaceId}/members/${'u'.repeat(200)}`, { email: 'long@acme.example', displayName: long.slice(0, 200), roleId: setup.ids.support });
  const made = await api('POST', '/api-keys', { workspaceId, userId: 'ada', name: long.slice(0, 255), permissions: ['calls:read'], description: long.slice(0, 240) });
  const role = await api('POST', `/workspaces/${workspaceId}/roles`, { name: long.slice(0, 50), permissions: ['calls:read'] });
  const wrong = [];
  for (const [width, theme] of [[360, 'light'], [1200, 'light'], [1300, 'dark'], [1439, 'light'], [1440, 'dark'], [2560, 'light']]) {
    const page = await visit({ as: 'owner', width, height: 900, theme });
    for (const [name, path] of Object.entries({ overview: '/', keys: '/keys', new: '/keys/new', key: `/keys/${made.apiKey.id}`, edit: `/keys/${made.apiKey.id}/edit`,
      members: '/members', leave: `/members/${'u'.repeat(200)}/remove`, heir: `/members/leo/remove?keys=transfer&heir=${'u'.repeat(200)}`, giverole: `/members/${'u'.repeat(200)}/role`, roles: '/roles', role: `/roles/${role.id}`, settings: '/settings', nowhere: '/nowhere' })) {
      await page.goto(path);
      await shot(page, `long-${name}-${width}`);
      wrong.push(...(await clipped(page)).map((w) => `${name} at ${width}: ${w}`), ...(await looks(page, { axeToo: false })).map((w) => `${name} at ${width}: ${w}`));
    }
    await page.context().close();
  }
  await api('DELETE', `/workspaces/${workspaceId}/members/${'u'.repeat(200)}`);
  want(wrong.length === 0, wrong.join('\n'));
});

task('find the reason of a refusal', 4, 'owner', async ({ page, click }) => {
  await api('POST', '/api-keys/verify', { key: setup.value, permissions: ['members:invite'] });
  await click(page.getByRole('link', { name: 'Usage', exact: true }));
  const line = page.locator('.refusals li', { hasText: 'members:invite' }).first();
  want((await line.textContent()).includes('insufficient permissions'), 'the reason is not said in words');
  await shot(page, 'usage-refusals', { fullPage: true });
  await click(line.getByRole('link', { name: /Explain/ }));
  same(await page.locator('.verdict').textContent(), 'INSUFFICIENT_PERMISSIONS');
  want((await page.locator('.steps').textContent()).includes('it lacks members:invite'), 'the step that refused is not explained');
  const odd = await looks(page);
  want(odd.length === 0, odd.join('\n'));
  await shot(page, 'key-explained', { fullPage: true });
});

for (const [theme, width] of [['light', 1440], ['dark', 360]]) {
  story(`a key is looked into by tabs, ranges and outcomes, ${theme}, ${width} px`, async () => {
    await api('POST', '/api-keys/verify', { key: setup.value, permissions: ['members:invite'] });
    const page = await visit({ as: 'owner', theme, width });
    const odd = [];
    for (const path of ['', '?by=hour', '?by=week', '?by=own', '?by=own&from=2026-01-01&to=2026-01-31', '?show=INSUFFICIENT_PERMISSIONS', '?tab=permissions', '?tab=settings', '?tab=history']) {
      const answer = await page.goto(`/keys/${setup.ids.key}${path}`);
      if (answer.status() !== 200) odd.push(`${path}: ${answer.status()}`);
      if ((await answer.body()).length > 100_000) odd.push(`${path}: ${(await answer.body()).length} bytes`);
      odd.push(...(await looks(page)).map((w) => `${path}: ${w}`));
      await shot(page, `look-${path.replace(/[^a-z]+/g, '-')}-${theme}-${width}`, { fullPage: true });
    }
    want(odd.length === 0, odd.join('\n'));
    await page.goto(`/keys/${setup.ids.key}`);
    await page.locator('.legend a', { hasText: 'insufficient permissions' }).click();
    await page.waitForURL(/show=INSUFFICIENT_PERMISSIONS/);
    want((await page.locator('.refusals li').allTextContents()).every((one) => one.includes('insufficient permissions')), 'the legend does not filter the list');
    await page.getByRole('link', { name: '7 d' }).click();
    await page.waitForURL((u) => u.search.includes('by=week') && u.search.includes('show='));
    await page.getByRole('link', { name: 'History' }).click();
    await page.getByRole('heading', { name: 'History' }).waitFor();
  });
}

task('offboard a colleague', 5, 'owner', async ({ page, click }) => {
  await api('PUT', `/workspaces/${workspaceId}/members/una`, { email: 'una@acme.example', displayName: 'Una Marson', roleId: setup.ids.member });
  const { key } = await api('POST', '/api-keys', { workspaceId, userId: 'una', name: 'una 1', permissions: ['calls:read'] });
  await click(page.getByRole('link', { name: 'Members', exact: true }));
  await click(page.locator('summary[aria-label="Actions for una"]'));
  await click(page.getByRole('link', { name: 'Remove… una' }));
  await click(page.getByRole('button', { name: 'Remove Una Marson and stop 1 key' }));
  await page.getByText('Una Marson was removed').waitFor();
  same(await verdict(key), 'DISABLED');
});
