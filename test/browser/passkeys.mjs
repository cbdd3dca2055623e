// Invitations and passkeys, with an authenticator that the browser plays itself.
import { api, looks, same, setup, shot, inWhole as story, visit, want } from './harness.mjs';

// Browsers make no passkey for an IP address: the same server, by its name.
const here = setup.url.replace('127.0.0.1', 'localhost');
const workspaceId = setup.ids.workspace;

const person = async (theme, width) => {
  const page = await visit({ theme, width });
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', { options: {
    protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true,
  } });
  const credentials = async () => (await cdp.send('WebAuthn.getCredentials', { authenticatorId })).credentials;
  return { page, cdp, authenticatorId, credentials };
};

const hire = (userId, displayName, roleId = setup.ids.member, ws = workspaceId) =>
  api('PUT', `/workspaces/${ws}/members/${userId}`, { email: `${userId}@acme.example`, displayName, roleId });
const invite = async (userId) => (await api('POST', `/workspaces/${workspaceId}/members/${userId}/invitation`)).invitation;
const link = (invitation) => here + invitation.path;
const events = async (type) => (await api('GET', `/workspaces/logs?workspaceId=${workspaceId}&eventType=${type}&limit=100`)).logs;

const register = async ({ page }, url, name = 'My laptop') => {
  await page.goto(url);
  await page.getByLabel('Name of this passkey').fill(name);
  await page.getByRole('button', { name: 'Create a passkey' }).click();
  await page.waitForURL(/\/sessions/).catch(async (e) => { throw new Error(`${await page.locator('[data-passkey-error]').textContent()} ${e}`); });
};

const signOut = (page) => page.context().clearCookies();
const signIn = async ({ page }) => {
  await page.goto(`${here}/signin?return=%2Fkeys`);
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
};

for (const [theme, width] of [['light', 1280], ['dark', 360]]) {
  story(`an admin invites a member, who creates a passkey and signs in by it, ${theme}, ${width} px`, async () => {
    const user = `ines${width}`;
    const admin = await visit({ as: 'admin', theme, width });
    await admin.goto('/members');
    let clicks = 0;
    const fill = async (label, text) => { clicks++; await admin.getByLabel(label, { exact: true }).fill(text); };
    await fill('User id', user);
    await fill('E-mail', `${user}@acme.example`);
    await fill('Name to show', 'Ines Lang');
    clicks++;
    await admin.locator('#role').selectOption({ label: 'Member' });
    clicks++;
    await admin.getByRole('button', { name: 'Add, and create an invitation link' }).click();
    const url = (await admin.locator('#value').textContent()).trim();
    want(clicks <= 5 && url.includes('/signin/invitation#keyward_invite_'), `${clicks} clicks to ${url}`);
    await shot(admin, `invitation-${theme}-${width}`, { fullPage: true });
    await admin.reload();
    want(!(await admin.content()).includes('keyward_invite_'), 'a reload shows the link');

    const ines = await person(theme, width);
    for (let look = 0; look < 3; look++) await (await fetch(url.split('#')[0])).text(); // a program that looks at links
    await ines.page.goto(url.replace('127.0.0.1', 'localhost'));
    await ines.page.getByText('Ines Lang, create a passkey for Acme').waitFor();
    want(!ines.page.url().includes('keyward_invite_'), 'the code stays in the address');
    await shot(ines.page, `invited-${theme}-${width}`, { fullPage: true });
    const plain = await visit({ theme, width }); // axe and the authenticator do not share a page
    await plain.goto(`${here}/signin/invitation`);
    const wrong = await looks(plain);
    want(wrong.length === 0, wrong.join('\n'));
    await ines.page.getByLabel('Name of this passkey').fill('My laptop');
    await ines.page.getByRole('button', { name: 'Create a passkey' }).click();
    await ines.page.getByText('Add a second passkey').waitFor();
    await shot(ines.page, `passkeys-${theme}-${width}`, { fullPage: true });
    same((await ines.credentials()).length, 1, 'passkeys on the device');

    await signOut(ines.page);
    await signIn(ines);
    await ines.page.waitForURL(/\/keys$/);
    await ines.page.getByRole('link', { name: 'Create key' }).first().waitFor();
    want((await events('passkey.added')).some((e) => e.eventDescription.includes(user)), 'the log does not say that a passkey was added');
    const seen = await ines.page.goto(`${here}/sessions`).then(() => looks(ines.page));
    want(seen.length === 0, seen.join('\n'));
    want((await events('member.invited')).some((e) => e.actorId === 'amy' && e.eventDescription.includes(user)), 'nor who invited');
  });
}

story('T12 an invitation works once, and not for one who has left', async () => {
  await hire('ivo', 'Ivo Andric');
  const url = link(await invite('ivo'));
  const newer = link(await invite('ivo'));
  const first = await person();
  await first.page.goto(url);
  await first.page.getByText('This invitation does not work').waitFor(); // another one took its place
  await register(first, newer);
  await first.page.getByText('Add a second passkey').waitFor();
  const second = await person();
  await second.page.goto(newer);
  await second.page.getByText('This invitation does not work').waitFor();
  same((await second.credentials()).length, 0, 'passkeys of a second one');
  await hire('ike', 'Ike Turner');
  const stale = link(await invite('ike'));
  await api('DELETE', `/workspaces/${workspaceId}/members/ike`);
  await hire('ike', 'Ike Turner');
  await second.page.goto('about:blank');
  await second.page.goto(stale);
  await second.page.getByText('This invitation does not work').waitFor();
});

story('T71 a passkey answers one challenge, once, for its own account, and not with a counter that went back', async () => {
  await hire('ida', 'Ida Noddack');
  const ida = await person();
  await register(ida, link(await invite('ida')));
  await ida.page.getByText('Add a second passkey').waitFor();

  // What the browser sent, sent again: with the cookie of the ceremony, too.
  await signOut(ida.page);
  let sent;
  ida.page.on('request', (r) => { if (r.url().endsWith('/signin/passkey')) sent = { body: r.postData(), headers: r.allHeaders().catch(() => ({})) }; });
  await signIn(ida);
  await ida.page.waitForURL(/\/keys$/);
  const replay = async (body) => {
    const headers = await sent.headers;
    const answer = await fetch(`${here}/signin/passkey`, { method: 'POST', body, headers: { cookie: headers.cookie, 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin' } });
    return [answer.status, answer.headers.getSetCookie().some((c) => c.startsWith('__Host-keyward=keyward_session_'))];
  };
  same(await replay(sent.body), [401, false], 'the same answer again');
  const other = new URLSearchParams(sent.body);
  const forged = JSON.parse(other.get('answer'));
  forged.response.clientDataJSON = btoa(atob(forged.response.clientDataJSON.replace(/-/g, '+').replace(/_/g, '/')).replace(here, 'https://evil.example'))
    .replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
  other.set('answer', JSON.stringify(forged));
  same(await replay(other.toString()), [401, false], 'an answer for another origin');

  // A copy of the passkey, with the counter that it had when it was copied.
  const [copied] = await ida.credentials();
  await signOut(ida.page);
  await signIn(ida);
  await ida.page.waitForURL(/\/keys$/);
  await ida.cdp.send('WebAuthn.removeCredential', { authenticatorId: ida.authenticatorId, credentialId: copied.credentialId });
  await ida.cdp.send('WebAuthn.addCredential', { authenticatorId: ida.authenticatorId, credential: { ...copied, signCount: 1 } });
  await signOut(ida.page);
  await signIn(ida);
  await ida.page.getByText('This passkey does not sign in here').waitFor();
  want((await events('passkey.refused')).some((e) => e.eventDescription.includes('ida')), 'a copy leaves no trace in the log');

  // An authenticator of somebody else, with a credential of ida's name but another key.
  const eve = await person();
  await hire('ilk', 'Ilka Gedo');
  await register(eve, link(await invite('ilk')));
  await eve.page.getByText('Add a second passkey').waitFor();
  const [own] = await eve.credentials();
  await eve.cdp.send('WebAuthn.removeCredential', { authenticatorId: eve.authenticatorId, credentialId: own.credentialId });
  await eve.cdp.send('WebAuthn.addCredential', { authenticatorId: eve.authenticatorId, credential: { ...own, credentialId: copied.credentialId, userHandle: copied.userHandle, signCount: 900 } });
  await signOut(eve.page);
  await signIn(eve);
  await eve.page.getByText('This passkey does not sign in here').waitFor();
});

story('T71 an authenticator that does not verify its user signs in nobody, and one that does not count does', async () => {
  await hire('ira', 'Ira Aldridge');
  const ira = await person();
  await register(ira, link(await invite('ira')));
  await ira.page.getByText('Add a second passkey').waitFor();
  const [key] = await ira.credentials();
  await ira.cdp.send('WebAuthn.setUserVerified', { authenticatorId: ira.authenticatorId, isUserVerified: false });
  await signOut(ira.page);
  await signIn(ira);
  await ira.page.getByText('The browser made no passkey').waitFor();
  await ira.cdp.send('WebAuthn.setUserVerified', { authenticatorId: ira.authenticatorId, isUserVerified: true });
  want(key.isResidentCredential, 'the passkey needs a name to be found');
});

story('several passkeys have names, and one that is removed is out, with its sessions', async () => {
  await hire('ilse', 'Ilse Aichinger');
  const one = await person();
  await register(one, link(await invite('ilse')), 'Old phone');
  await one.page.getByText('Add a second passkey').waitFor();
  const phone = await one.credentials();
  const another = await one.cdp.send('WebAuthn.addVirtualAuthenticator', { options: {
    protocol: 'ctap2', transport: 'usb', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true } });
  await one.cdp.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId: one.authenticatorId, enabled: false });
  await one.page.getByLabel('Name of the new passkey').fill('Security key');
  await one.page.getByRole('button', { name: 'Add a passkey' }).click();
  await one.page.locator('.attend', { hasText: 'Security key' }).waitFor();
  await shot(one.page, 'passkeys-two', { fullPage: true });

  const thief = await person(); // has the old phone, and is signed in by it
  await thief.cdp.send('WebAuthn.addCredential', { authenticatorId: thief.authenticatorId, credential: phone[0] });
  await signIn(thief);
  await thief.page.waitForURL(/\/keys$/);
  await one.page.goto(`${here}/sessions`);
  await one.page.locator('.attend li', { hasText: 'Old phone' }).locator('summary').click();
  await one.page.getByRole('button', { name: 'Remove Old phone' }).click();
  await one.page.getByText('Passkey “Old phone” is removed.').waitFor();
  await thief.page.goto(`${here}/keys`);
  await thief.page.waitForURL(/signin/);
  await signIn(thief);
  await thief.page.getByText('This passkey does not sign in here').waitFor();
  want((await events('passkey.removed')).some((e) => e.eventDescription.includes('Old phone')), 'the log does not say so');
  want(another.authenticatorId, 'no second authenticator');
});

story('T109 an admin of one workspace invites, resets and re-adds an owner of another, and reaches nothing there', async () => {
  const elsewhere = (await api('POST', '/workspaces', { name: 'Initech', owner: { userId: 'olga', email: 'olga@initech.example' } })).workspace;
  const secret = await api('POST', '/api-keys', { workspaceId: elsewhere.id, userId: 'olga', name: 'crown jewels' });
  const admin = await visit({ as: 'admin' });
  await admin.goto('/members');
  const post = (path, fields) => admin.evaluate(async ([p, f]) => {
    const answer = await fetch(p, { method: 'POST', body: new URLSearchParams(f) });
    return [answer.status, await answer.text()];
  }, [path, fields]);
  const linkIn = (html) => html.match(/http:\/\/[^<]*keyward_invite_[0-9A-Za-z_-]{43}/)?.[0].replace('127.0.0.1', 'localhost');

  const reachesNothing = async (olga) => {
    same(await olga.page.locator('.pop.place form').count(), 1, 'workspaces to switch to');
    want(!(await olga.page.content()).includes('Initech'), 'the other workspace is named');
    const tried = await olga.page.evaluate(async ([ws, key]) => {
      const gone = await fetch('/signin/workspace', { method: 'POST', body: new URLSearchParams({ workspaceId: ws, return: '/' }) });
      return [gone.status, (await fetch(`/keys/${key}`)).status];
    }, [elsewhere.id, secret.apiKey.id]);
    same(tried, [404, 404], 'switching over, and a key over there');
    const token = (await olga.page.context().cookies()).find((c) => c.name === '__Host-keyward').value;
    const call = async (method, path, body) => (await fetch(`${setup.url}/api/v2${path}`, { method, body: body && JSON.stringify(body),
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' } }));
    same([(await call('GET', `/workspaces/${elsewhere.id}`)).status, (await call('GET', `/api-keys/${secret.apiKey.id}`)).status,
      (await call('GET', `/api-keys?workspaceId=${elsewhere.id}`)).status, (await call('POST', `/api-keys/${secret.apiKey.id}/rotate`)).status,
      (await call('POST', `/workspaces/${elsewhere.id}/members/olga/invitation`)).status, (await call('DELETE', `/workspaces/${elsewhere.id}`)).status],
    [404, 404, 404, 404, 404, 404], 'by the API');
    same((await (await call('GET', '/workspaces')).json()).data.result.workspaces.map((w) => w.name), ['Acme'], 'workspaces by the API');
    want((await call('POST', '/workspaces', { name: 'Mine' })).status === 403, 'a workspace of its own');
  };

  await post('/members', { user: 'olga', email: 'olga@initech.example', role: setup.ids.member });
  const [status, html] = await post('/members/olga/invitation', {});
  same(status, 201, 'the invitation');
  const mallory = await person();
  await register(mallory, linkIn(html));
  await mallory.page.getByText('Add a second passkey').waitFor();
  await reachesNothing(mallory);

  same((await post('/members/olga/invitation', {}))[0], 422, 'a second invitation of one who has signed in');
  const [, again] = await post('/members/olga/sign-in-reset', {});
  await mallory.page.goto(`${here}/keys`);
  await mallory.page.waitForURL(/signin/); // the reset ended that session
  await signIn(mallory);
  await mallory.page.getByText('This passkey does not sign in here').waitFor();
  const next = await person();
  await register(next, linkIn(again));
  await next.page.getByText('Add a second passkey').waitFor();
  await reachesNothing(next);

  await api('DELETE', `/workspaces/${workspaceId}/members/olga`);
  await post('/members', { user: 'olga', email: 'olga@initech.example', role: setup.ids.member });
  await signIn(next);
  await next.page.getByText('This passkey does not sign in here').waitFor(); // it ended with the membership
  const [, third] = await post('/members/olga/invitation', {});
  const last = await person();
  await register(last, linkIn(third));
  await last.page.getByText('Add a second passkey').waitFor();
  await reachesNothing(last);

  const [refused, why] = await post('/members/ada/invitation', {});
  same(refused, 422, 'an admin invites the owner');
  want(why.includes('This member can do what you cannot'), why.slice(0, 400));
  same((await post('/members/ada/sign-in-reset', {}))[0], 422, 'an admin resets the owner');
  same((await events('member.sign_in_reset')).map((e) => [e.actorId, e.metadata.target]), [['amy', 'olga']], 'resets in the log');
});

story('where browsers make no passkey, the page says what to do', async () => {
  const page = await visit({});
  await page.goto('/signin'); // by 127.0.0.1
  await page.getByText(`Passkeys are for ${here}: open it there.`).waitFor();
  same(await page.getByRole('button', { name: 'Sign in with a passkey' }).count(), 0, 'buttons that would fail');
  await page.goto(`${here}/signin`);
  await page.getByRole('button', { name: 'Sign in with a passkey' }).waitFor();
  await shot(page, 'sign-in-passkey', { fullPage: true });
});

story('the owner of a new workspace is invited right away', async () => {
  setup.links.root = setup.url + (await api('POST', '/sign-in-links', { root: true })).signInLink.path;
  const root = await visit({ as: 'root' });
  await root.goto('/workspaces');
  await root.getByLabel('Name', { exact: true }).fill('Umbrella');
  await root.getByLabel("Owner's user id").fill('uma');
  await root.getByLabel("Owner's e-mail").fill('uma@example.com');
  await root.getByRole('button', { name: 'Create workspace' }).click();
  const url = (await root.locator('#value').textContent()).trim();
  const uma = await person();
  await register(uma, url.replace('127.0.0.1', 'localhost'));
  await uma.page.getByText('Add a second passkey').waitFor();
  await uma.page.goto(`${here}/`);
  await uma.page.getByRole('heading', { name: 'Umbrella' }).waitFor();
});
