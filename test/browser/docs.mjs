// The API reference at /docs: read without scripts, searched, and asked.
import { api, looks, same, setup, shot, story, visit, want } from './harness.mjs';

const pages = ['/docs', '/docs/api-keys', '/docs/roles', '/docs/objects'];

story('the reference looks well in both themes, on a phone and wide', async () => {
  for (const [theme, width] of [['light', 1440], ['dark', 360]]) {
    const page = await visit({ theme, width });
    for (const path of pages) {
      await page.goto(path);
      same(await looks(page, { axeToo: path !== '/docs/api-keys' }), [], `${path} ${theme} ${width}`);
      await shot(page, `docs-${theme}-${width}-${path.split('/').pop()}`);
    }
  }
});

story('every page names an icon of this server', async () => {
  const page = await visit();
  for (const path of ['/docs', '/docs/roles', '/signin', '/nowhere']) {
    await page.goto(path);
    const link = await page.locator('link[rel=icon]').getAttribute('href');
    const answer = await page.request.get(link);
    same([answer.status(), answer.headers()['content-type']], [200, 'image/svg+xml'], `the icon of ${path}, ${link}`);
  }
});

story('the reference can be read without scripts, in each language', async () => {
  const page = await visit({ javaScriptEnabled: false });
  await page.goto('/docs');
  await page.locator('#createRole a').click();
  await page.waitForURL(/\/docs\/roles#createRole$/);
  const samples = page.locator('#createRole .samples');
  want(await samples.locator('pre').nth(0).isVisible(), 'curl is not shown first');
  await samples.getByText('Python', { exact: true }).click();
  want((await samples.locator('pre:visible').textContent()).startsWith('role = keyward.roles.create('), 'Python is not shown');
  same(await page.getByRole('button', { name: 'Try it' }).count(), 0, 'buttons that do nothing');
});

story('the reference is searched, and old links lead on', async () => {
  const page = await visit();
  await page.goto('/docs#createRole');
  await page.waitForURL(/\/docs\/roles#createRole$/);
  await page.goto('/docs');
  await page.keyboard.press('/');
  await page.keyboard.type('refusals installation');
  same(await page.locator('.told').textContent(), `1 of ${await page.locator('li[data-words]').count()} operations`);
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/docs\/operation#listInstallationRefusals$/);
});

story('an operation is tried with a typed token, which is kept nowhere', async () => {
  const page = await visit({ as: 'owner' });
  await page.goto('/docs/roles');
  const article = page.locator('#listRoles');
  const { workspaces } = await api('GET', '/workspaces?limit=1');
  await article.getByRole('button', { name: 'Try it' }).click();
  await article.getByLabel('workspaceId (path, required)').fill(workspaces[0].id);
  await article.getByRole('button', { name: 'Send GET' }).click();
  want((await article.locator('.answer .status').textContent()).startsWith('401'), 'the session of the dashboard went along');
  await article.getByLabel('Token').fill(setup.root);
  await article.getByRole('button', { name: 'Send GET' }).click();
  await article.locator('.answer .status', { hasText: '200' }).waitFor();
  want((await article.locator('.answer pre').textContent()).includes('"Owner"'), 'the roles are not shown');
  same(await page.evaluate(() => localStorage.length + sessionStorage.length), 0, 'what is stored');
  await page.reload();
  await article.getByRole('button', { name: 'Try it' }).click();
  same(await article.getByLabel('Token').inputValue(), '', 'the token after the page was loaded again');
  same(await looks(page), [], 'the page with an open form');
});
