// Every page, for everybody, in both themes, on a phone and on a desk: it is shown, nothing is wider than the screen, and axe finds
// nothing.
import { looks, setup, shot, shots, story, visit, want } from './harness.mjs';

const ids = setup.ids;

export const pages = {
  owner: {
    overview: '/', 'overview-month': '/?by=month', usage: '/usage?by=month', keys: '/keys', 'keys-expiring': '/keys?view=expiring',
    'keys-none': '/keys?q=zzzz', 'key-requests': '/key-requests', 'new-key': '/keys/new', key: `/keys/${ids.key}?permission=calls%3Aread&ip=203.0.113.7#test`,
    'key-hostile': `/keys/${ids.hostile}`, 'key-edit': `/keys/${ids.key}/edit`, 'key-rotate': `/keys/${ids.key}/rotate`,
    'key-delete': `/keys/${ids.key}/delete`, members: '/members', 'member-remove': '/members/bob/remove', roles: '/roles',
    role: `/roles/${ids.role}`, 'role-built-in': `/roles/${ids.viewer}`, 'role-new': '/roles/new', log: '/log', settings: '/settings',
    webhooks: '/webhooks', 'webhook-new': '/webhooks/new', webhook: `/webhooks/${ids.webhook}`, 'webhook-edit': `/webhooks/${ids.webhook}/edit`,
    'webhook-rotate': `/webhooks/${ids.webhook}/rotate`, 'webhook-off': `/webhooks/${ids.webhook}/off`, 'webhook-delete': `/webhooks/${ids.webhook}/delete`,
    catalogue: '/catalogue', sessions: '/sessions', 'sessions-members': '/sessions?of=members', workspaces: '/workspaces', nowhere: '/nowhere',
  },
  viewer: { 'viewer-overview': '/', 'viewer-keys': '/keys', 'viewer-members': '/members', 'viewer-settings': '/settings', 'viewer-webhooks': '/webhooks', 'viewer-webhook': `/webhooks/${ids.webhook}`, 'viewer-refused': '/keys/new' },
  root: { 'root-workspaces': '/workspaces', 'root-service-keys': '/service-keys', 'root-nodes': '/nodes', 'root-overview': '/', 'root-webhooks': '/installation/webhooks' },
  nobody: { 'sign-in': '/signin', 'sign-in-dead': '/signin/link?code=keyward_link_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' },
};

// Layout differs on a phone, markup does not: there axe looks at one page of each kind.
const narrow = ['overview', 'keys', 'new-key', 'key', 'role-new', 'sign-in'];

for (const theme of ['light', 'dark']) {
  for (const [size, width] of [['desk', 1280], ['phone', 360]]) {
    if (theme === 'dark' && size === 'phone' && !shots) continue; // it is laid out as in the light theme
    story(`every page is whole and can be used by everybody, ${theme}, ${size}`, async () => {
      const wrong = [];
      for (const [who, list] of Object.entries(pages)) {
        const page = await visit({ as: who === 'nobody' ? undefined : who, theme, width, height: size === 'phone' ? 740 : 800 });
        for (const [name, path] of Object.entries(list)) {
          const answer = await page.goto(path);
          const bytes = (await answer.body()).length;
          if (bytes > 100_000) wrong.push(`${name}: ${bytes} bytes`);
          if (answer.status() >= 500) wrong.push(`${name}: ${answer.status()}`);
          await shot(page, `${name}-${theme}-${size}`, { fullPage: true });
          wrong.push(...(await looks(page, { axeToo: size === 'desk' || narrow.includes(name) })).map((w) => `${name}: ${w}`));
        }
        await page.context().close();
      }
      want(wrong.length === 0, wrong.join('\n'));
    });
  }
}

story('the overview fits a very wide screen', async () => {
  const page = await visit({ as: 'owner', width: 3840, height: 2160 });
  await page.goto('/?by=month');
  const wrong = await looks(page, { axeToo: false });
  want(wrong.length === 0, wrong.join('\n'));
  await shot(page, 'overview-4k');
});

story('the picture for the README', async () => {
  const page = await visit({ as: 'owner', width: 1200, height: 780 });
  await page.goto('/?by=month');
  await shot(page, 'readme');
});

story('a chosen theme stays, with and without scripts', async () => {
  for (const javaScriptEnabled of [true, false]) {
    const page = await visit({ as: javaScriptEnabled ? 'owner' : undefined, javaScriptEnabled });
    await page.goto(javaScriptEnabled ? '/catalogue' : '/signin');
    if (!javaScriptEnabled) continue;
    await page.locator('details.who summary').click();
    await page.getByRole('button', { name: 'Dark theme' }).click();
    want(await page.locator('html').getAttribute('data-theme') === 'dark', 'the theme did not change at once');
    await page.goto('/keys');
    want(await page.locator('html').getAttribute('data-theme') === 'dark', 'the theme is forgotten on the next page');
  }
});

story('everything on a page can be reached and used by keyboard', async () => {
  const page = await visit({ as: 'owner' });
  await page.goto('/keys');
  await page.keyboard.press('Tab');
  want(await page.evaluate(() => document.activeElement.classList.contains('skip')), 'the first stop is not the way past the navigation');
  await page.keyboard.press('/');
  want(await page.evaluate(() => document.activeElement.id === 'q'), '/ does not lead to the search');
  await page.keyboard.type('report');
  await page.keyboard.press('Enter');
  await page.waitForURL(/q=report/);
  const outline = await page.evaluate(() => {
    document.querySelector('a.btn.first').focus();
    return getComputedStyle(document.activeElement).outlineStyle;
  });
  want(outline !== 'none', 'focus cannot be seen');
  const reached = await page.evaluate(() => [...document.querySelectorAll('a[href], button, input, select, textarea, summary')]
    .filter((e) => e.tabIndex < 0 && e.offsetParent && !e.disabled).map((e) => e.outerHTML.slice(0, 80)));
  want(reached.length === 0, `cannot be reached: ${reached}`);
});
