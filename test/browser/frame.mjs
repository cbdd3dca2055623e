// The frame around every page: the navigation on a phone, menus, the palette, Copy, rows that lead somewhere, the first run.
import { api, forget, looks, same, setup, shot, story, visit, want } from './harness.mjs';

for (const javaScriptEnabled of [true, false]) {
  story(`a phone has the navigation as a sheet, ${javaScriptEnabled ? 'with' : 'without'} scripts`, async () => {
    const first = await visit({ as: 'owner', width: 360, height: 740 });
    const context = await first.context().browser().newContext({ javaScriptEnabled, baseURL: setup.url, viewport: { width: 360, height: 740 } });
    await context.addCookies(await first.context().cookies());
    const page = await context.newPage();
    await page.goto('/keys');
    want(!await page.getByRole('link', { name: 'Members', exact: true }).isVisible(), 'the sheet is open at once');
    await page.getByRole('button', { name: 'Menu' }).click();
    await page.getByRole('link', { name: 'Members', exact: true }).waitFor();
    if (javaScriptEnabled) {
      await shot(page, 'sheet-light-phone');
      const wrong = await looks(page);
      want(wrong.length === 0, wrong.join('\n'));
      await page.keyboard.press('Escape');
      want(!await page.getByRole('link', { name: 'Members', exact: true }).isVisible(), 'Escape does not close the sheet');
      await page.getByRole('button', { name: 'Menu' }).click();
    }
    await page.getByRole('link', { name: 'Members', exact: true }).click();
    await page.waitForURL(/members/);
    await context.close();
  });
}

story('the menu of workspaces is not clipped, on a phone and on a desk', async () => {
  for (const [width, height] of [[360, 740], [1280, 500]]) {
    const page = await visit({ as: 'owner', width, height });
    await page.goto('/keys');
    for (const menu of ['.pop.place', '.pop.who']) {
      await page.locator(`${menu} summary`).click();
      const box = page.locator(`${menu} > div`);
      await box.waitFor();
      want(await box.evaluate((e) => {
        const r = e.getBoundingClientRect();
        const at = (x, y) => e.contains(document.elementFromPoint(x, y));
        return r.left >= 0 && r.right <= innerWidth && r.top >= 0 && r.bottom <= innerHeight && at(r.left + 4, r.top + 4) && at(r.right - 4, r.bottom - 4);
      }), `${menu} is clipped at ${width} px`);
      await shot(page, `menu${menu}-${width}`);
      await page.keyboard.press('Escape');
    }
    await page.context().close();
  }
});

story('Ctrl-K leads to pages and keys', async () => {
  const page = await visit({ as: 'owner' });
  await page.goto('/');
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox', { name: 'Go to a page or a key' }).fill('nightly');
  await page.getByRole('option', { name: /Nightly report/ }).waitFor();
  const wrong = [];
  for (const colorScheme of ['dark', 'light']) {
    await page.emulateMedia({ colorScheme });
    await shot(page, `palette-${colorScheme}-desk`);
    wrong.push(...await looks(page));
  }
  want(wrong.length === 0, wrong.join('\n'));
  await page.keyboard.press('Enter');
  await page.waitForURL(new RegExp(setup.ids.key));
  await page.getByRole('button', { name: /Go to/ }).click();
  await page.getByRole('combobox', { name: 'Go to a page or a key' }).fill('mem');
  await page.keyboard.press('Enter');
  await page.waitForURL(/members/);
});

story('ids and masked values are copied, and a row leads where its name leads', async () => {
  const page = await visit({ as: 'owner' });
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.goto('/settings');
  await page.getByRole('button', { name: `Copy ${setup.ids.workspace}` }).click();
  same(await page.evaluate(() => navigator.clipboard.readText()), setup.ids.workspace);
  await page.goto('/keys?q=Nightly');
  const row = page.locator('tbody tr', { hasText: 'Nightly report' });
  await row.hover();
  const masked = (await row.locator('.mono').textContent()).trim();
  await row.getByRole('button', { name: `Copy ${masked}` }).click();
  same(await page.evaluate(() => navigator.clipboard.readText()), masked);
  want(page.url().includes('q=Nightly'), 'Copy left the page');
  await row.locator('td').nth(4).click();
  await page.waitForURL(new RegExp(setup.ids.key));
});

story('a page that there is not keeps the navigation, and says what to quote', async () => {
  const page = await visit({ as: 'owner' });
  const answer = await page.goto('/nowhere/at/all');
  same(answer.status(), 404);
  await page.getByRole('heading', { name: 'Page not found' }).waitFor();
  await page.getByText('Quote this ID to support').waitFor();
  await page.getByRole('link', { name: 'Keys', exact: true }).click();
  await page.waitForURL(/keys/);
  const stranger = await visit({});
  await stranger.goto('/nowhere');
  same(await stranger.getByRole('link', { name: 'Keys', exact: true }).count(), 0, 'navigation of a stranger');
});

story('the first run makes a workspace with its owner, and says what comes next', async () => {
  forget('root'); // a session of its own, because it goes with the workspace that it is at
  setup.links.root = setup.url + (await api('POST', '/sign-in-links', { root: true })).signInLink.path;
  const page = await visit({ as: 'root' });
  await page.goto('/workspaces');
  await page.getByLabel('Name', { exact: true }).fill('Hooli');
  await page.getByLabel("Owner's user id").fill('gavin');
  await page.getByLabel("Owner's e-mail").fill('gavin@example.com');
  await page.getByLabel("Owner's name").fill('Gavin Belson');
  await page.getByRole('button', { name: 'Create workspace' }).click();
  await page.getByRole('heading', { name: 'What next' }).waitFor();
  want((await page.locator('#value').textContent()).includes('#'), 'no invitation for the owner');
  await shot(page, 'what-next-light-desk', { fullPage: true });
  const wrong = await looks(page);
  want(wrong.length === 0, wrong.join('\n'));
  await page.getByRole('button', { name: 'Create a key' }).click();
  await page.waitForURL(/keys\/new/);
  same(await page.getByLabel('Owner', { exact: true }).inputValue(), 'gavin', 'the owner of the first key');
  const made = (await api('GET', '/workspaces')).workspaces.find((w) => w.name === 'Hooli');
  await api('DELETE', `/workspaces/${made.id}`);
  forget('root');
  setup.links.root = setup.url + (await api('POST', '/sign-in-links', { root: true })).signInLink.path;
});
