// The three forms of the portal, each for an owner, a member, a viewer and a member under a ceiling: light and dark, on a phone
// and on a desk, in languages of both directions. The host page is isolated (COOP, COEP), its policy is strict, and the browser
// keeps no cookies of third parties.
import { api, axeIn, looks, same, setup, story, inWhole, visit, want } from './harness.mjs';
import { at, open } from './host.mjs';

const reads = ['keys:read', 'usage:read'];
const all = [...reads, 'keys:create', 'keys:update', 'keys:rotate', 'keys:disable', 'keys:delete'];

// who are the four: their role, what the platform offers them, and what their form for a key says of three permissions.
const who = {
  owner: { role: 'Owner', capabilities: all, own: '', offered: '', beyond: '' },
  member: { role: 'Member', capabilities: all, own: '', offered: '', beyond: 'You do not hold this.' },
  viewer: { role: 'Viewer', capabilities: reads },
  ceiling: {
    role: 'Member', capabilities: all, own: '', offered: 'This page does not offer this.', beyond: 'This page does not offer this.',
    ceiling: { permissions: ['calls:read'], maxLifetimeSeconds: 30 * 86400, environments: ['test'], maxKeys: 5 },
  },
};

// house is a workspace of its own, with a plan: the four share its limits.
let founding;
const house = () => {
  founding ??= (async () => {
    const { workspace } = await api('POST', '/workspaces', { name: 'Matrix', owner: { userId: 'mx-owner', email: 'owner@matrix.example' } });
    const workspaceId = workspace.id;
    await api('PUT', `/workspaces/${workspaceId}/plan`, { requestsPerMinute: 40, requestsPerDay: 1000 });
    const { roles } = await api('GET', `/workspaces/${workspaceId}/roles`);
    for (const [name, one] of Object.entries(who)) {
      const roleId = roles.find((r) => r.name === one.role).id;
      if (name !== 'owner') await api('PUT', `/workspaces/${workspaceId}/members/mx-${name}`, { email: `${name}@matrix.example`, displayName: setup.hostile.slice(0, 100), roleId });
      if (name === 'viewer') continue; // holds no right to have keys made in their name by themselves
      const { key } = await api('POST', '/api-keys', { workspaceId, userId: `mx-${name}`, name: `first of ${name}`, permissions: ['calls:read'], rateLimit: { requestsPerMinute: 2 } });
      for (let i = 0; i < 3; i++) await api('POST', '/api-keys/verify', { key });
    }
    await api('POST', '/api-keys', { workspaceId, userId: 'mx-viewer', name: 'first of viewer', permissions: ['calls:read'] });
    return workspaceId;
  })();
  return founding;
};

const sessionOf = async (name, more = {}) => {
  const { capabilities, ceiling } = who[name];
  return { workspaceId: await house(), userId: `mx-${name}`, capabilities, ceiling, ...more };
};

// forms open a session in a page, and give the document with the element in it and what changes its language.
const forms = {
  element: async (page, session) => {
    await at(page, session);
    return { root: page, inside: page.mainFrame(), speak: (locale) => setLocale(page.mainFrame(), locale) };
  },
  frame: async (page, session) => {
    await at(page, { ...session, reveal: 'frame' });
    const root = page.frameLocator('iframe');
    await root.locator('.keys').waitFor();
    const inside = page.frames().find((f) => f !== page.mainFrame());
    return { root, inside, speak: (locale) => setLocale(page.mainFrame(), locale) };
  },
  hosted: async (page, session) => {
    await open();
    const { url } = await api('POST', '/portal-sessions', { allowedOrigins: [], ...session });
    await page.goto(url);
    return { root: page, inside: page.mainFrame(), speak: (locale) => setLocale(page.mainFrame(), locale) };
  },
};

const setLocale = (frame, locale) => frame.evaluate((l) => document.querySelector('keyward-keys').setAttribute('locale', l), locale);

const titles = { en: ['API keys', 'ltr'], ar: ['مفاتيح API', 'rtl'] };

// tryForm opens the form for a key and reads what it says of a permission that each of the four holds, of one that a ceiling leaves
// out, and of one that an owner alone holds.
const tryForm = async ({ root, inside }, one, label) => {
  const create = root.getByRole('button', { name: 'Create key' });
  if (!one.capabilities.includes('keys:create')) {
    same([await create.count(), await root.getByRole('button', { name: /Rotate|Edit|Delete|Disable/ }).count()], [0, 0], `${label}: buttons`);
    return;
  }
  await create.click();
  const dialog = root.getByRole('dialog');
  for (const [permission, why] of [['calls:read', one.own], ['members:read', one.offered], ['workspace:delete', one.beyond]]) {
    const line = dialog.locator('.permission', { has: root.locator(`input[value="${permission}"]`) });
    same(await line.locator('input').isDisabled(), why !== '', `${label}: ${permission} is disabled`);
    if (why) want((await line.textContent()).includes(why), `${label}: ${permission} does not say ${why}`);
  }
  same(await axeIn(inside), [], `${label}: the form`);
  await dialog.getByRole('button', { name: 'Cancel' }).click();
};

// showUsage opens the usage of the key: its own limit and the plan of all keys are told, and why calls were refused.
const tryUsage = async ({ root, inside }, name, label) => {
  await root.getByRole('button', { name: `Usage: first of ${name}` }).click();
  const dialog = root.getByRole('dialog');
  await dialog.getByRole('row', { name: /^All keys, this minute \d+ of 40/ }).waitFor();
  await dialog.getByRole('row', { name: /^All keys, today \(UTC\) \d+ of 1,000/ }).waitFor();
  if (name !== 'viewer') want((await dialog.locator('.refusals').textContent()).includes('RATE_LIMITED'), `${label}: no refusal is told`);
  same(await axeIn(inside), [], `${label}: usage`);
  await dialog.getByRole('button', { name: 'Close', exact: true }).click();
};

for (const [form, show] of Object.entries(forms)) {
  (form === 'hosted' ? story : inWhole)(`the ${form} serves owner, member, viewer and ceiling in each look`, async () => {
    for (const [name, one] of Object.entries(who)) {
      const page = await visit({ width: 1440, theme: 'light' });
      const shown = await show(page, await sessionOf(name));
      await shown.root.getByRole('heading', { name: `first of ${name}`, exact: true }).waitFor();
      want(await shown.root.getByRole('heading', { name: /^first of / }).count() === (name === 'owner' ? 4 : 1), `${form} ${name}: keys of others`);
      await tryForm(shown, one, `${form} ${name}`);
      await tryUsage(shown, name, `${form} ${name}`);
      for (const [width, theme] of [[1440, 'light'], [360, 'light'], [360, 'dark'], [1440, 'dark']]) {
        await page.setViewportSize({ width, height: 900 });
        await page.emulateMedia({ colorScheme: theme });
        for (const [locale, [title, dir]] of Object.entries(titles)) {
          const label = `${form} ${name} ${width} ${theme} ${locale}`;
          await shown.speak(locale);
          await shown.root.getByRole('heading', { name: title, exact: true }).waitFor();
          await shown.root.locator(`.root[dir=${dir}] .keys li`).first().waitFor();
          const ground = await shown.root.locator('.root').evaluate((e) => getComputedStyle(e).color.match(/[\d.]+/g).slice(0, 3).reduce((a, n) => a + Number(n), 0));
          want(theme === 'dark' ? ground > 380 : ground < 380, `${label}: the text has the sum of colours ${ground}`);
          same([...await looks(page, { axeToo: form !== 'frame' }), ...form === 'frame' ? await axeIn(shown.inside) : []], [], label);
        }
      }
      same(await page.context().cookies(), [], `${form} ${name}: cookies`);
      same(await shown.inside.evaluate(() => globalThis.pwned), undefined, 'a name that does something');
      await page.context().close();
    }
    const refused = await api('POST', '/portal-sessions', { allowedOrigins: [], ...await sessionOf('viewer', { capabilities: all }) }).catch((e) => e.message);
    want(/ 403 .*keys:create/.test(refused), `a viewer gets more than they hold: ${refused}`);
  });
}
