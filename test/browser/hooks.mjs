// Webhooks on the dashboard, with a receiver that checks signatures as docs/webhooks.md says.
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { looks, same, shot, story, visit, want } from './harness.mjs';

// listen starts a receiver on this machine. It keeps each notice, with the secrets that verify it.
const listen = async () => {
  const secrets = [];
  const notices = [];
  const server = createServer(async (request, answer) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    const body = Buffer.concat(parts).toString();
    const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signature } = request.headers;
    const signed = secrets.filter((secret) => {
      const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
      return signature.split(' ').includes(`v1,${createHmac('sha256', key).update(`${id}.${at}.${body}`).digest('base64')}`);
    });
    notices.push({ id, type: JSON.parse(body).type, signed });
    answer.writeHead(204).end();
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { url: `http://127.0.0.1:${server.address().port}/hooks`, secrets, notices, close: () => server.close() };
};

// settled reloads the page of a webhook until none of its deliveries waits, and gives what its table says.
const settled = async (page) => {
  for (let n = 0; n < 60; n++) {
    const rows = await page.locator('tbody tr').allTextContents();
    if (rows.length && !rows.some((row) => /Waiting/.test(row))) return rows.map((row) => row.replace(/\s+/g, ' '));
    await page.waitForTimeout(250);
    await page.reload();
  }
  throw new Error(`a delivery waits: ${await page.locator('main').textContent()}`);
};

const whole = async (page, name) => {
  await shot(page, `hooks-${name}`, { fullPage: true });
  const wrong = await looks(page);
  want(wrong.length === 0, `${name}: ${wrong.join('\n')}`);
};

const secretOf = async (page) => {
  const secret = (await page.locator('#value').textContent()).trim();
  want(/^whsec_[0-9A-Za-z+/]{43}=$/.test(secret), `no secret: ${secret}`);
  return secret;
};

// life is the whole life of a webhook. Nothing in it needs a script.
const life = async (page, shot, scripts) => {
  const receiver = await listen();
  try {
    await page.goto('/webhooks');
    await shot('list');
    await page.getByRole('link', { name: 'Create webhook' }).click();
    await page.getByLabel('URL').fill('ftp://example.com');
    for (const box of await page.getByRole('checkbox').all()) await box.uncheck();
    await page.getByRole('button', { name: 'Create webhook' }).click();
    await page.getByText('Must begin with https://').waitFor();
    await page.getByText('Choose at least one event.').waitFor();
    await shot('wrong');
    await page.getByLabel('URL').fill(receiver.url);
    await page.getByLabel('Description').fill('Billing');
    await page.getByLabel('portal_session.created').check();
    await page.getByRole('button', { name: 'Create webhook' }).click();
    const first = await secretOf(page);
    if (scripts) await page.getByRole('button', { name: 'Copy' }).first().waitFor();
    await shot('secret');
    receiver.secrets.push(first);
    if (scripts) {
      await page.reload();
      want(!(await page.content()).includes(first), 'a reload shows the secret');
    } else {
      await page.getByRole('link', { name: 'Done' }).click();
    }
    await page.getByRole('heading', { name: 'Billing' }).waitFor();

    await page.getByRole('button', { name: 'Send a test' }).click();
    await page.getByText('The test is on its way.').waitFor();
    let rows = await settled(page);
    want(/webhook\.test.*Delivered.*answered 204/.test(rows[0]), rows[0]);
    same(receiver.notices.map((n) => [n.type, n.signed.length]), [['webhook.test', 1]], 'what the receiver was told');
    await shot('delivered');

    await page.getByRole('button', { name: /^Replay/ }).click();
    await page.getByText('The notice is on its way again').waitFor();
    rows = await settled(page);
    want(rows.length === 2 && /again/.test(rows[0]), rows.join('\n'));
    same(receiver.notices[1].id, receiver.notices[0].id, 'the id of a notice that is sent again');

    await page.getByRole('link', { name: 'Rotate the secret…' }).click();
    await shot('rotate');
    await page.getByLabel('1 hour').check();
    await page.getByRole('button', { name: 'Rotate and show the new secret' }).click();
    const second = await secretOf(page);
    want(second !== first, 'the secret is the same');
    receiver.secrets.push(second);
    await shot('rotated');
    await page.getByRole('link', { name: 'Done' }).click();
    await page.getByText('The former secret ends in 1 hour').or(page.getByText('The former secret ends in 60 minutes')).waitFor();
    await page.getByRole('button', { name: 'Send a test' }).click();
    await settled(page);
    same(receiver.notices[2].signed, [first, second], 'the secrets that verify a notice while both hold');

    await page.getByRole('link', { name: 'Edit…' }).click();
    await page.getByLabel('Description').fill('Invoices');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('heading', { name: 'Invoices' }).waitFor();

    await page.getByRole('link', { name: 'Switch off…' }).click();
    await shot('off');
    await page.getByRole('button', { name: 'Switch off' }).click();
    await page.getByText('The webhook is off.').waitFor();
    same(await page.getByRole('button', { name: /Send a test|Replay/ }).count(), 0, 'what a webhook that is off sends');
    await shot('switched-off');
    await page.getByRole('button', { name: 'Switch on' }).click();
    await page.getByText('The webhook is on.').waitFor();

    await page.getByRole('link', { name: 'Delete…' }).click();
    await shot('delete');
    await page.getByRole('button', { name: 'Delete for good' }).click();
    await page.getByText('The webhook “Invoices” is deleted.').waitFor();
    same(receiver.notices.length, 3, 'what the receiver was told');
  } finally {
    receiver.close();
  }
};

for (const [theme, width] of [['light', 1440], ['dark', 360]]) {
  story(`a webhook is created, tested, rotated, switched off and deleted, ${theme}, ${width} px`, async () => {
    const page = await visit({ as: 'owner', theme, width });
    await life(page, (name) => whole(page, `${name}-${theme}-${width}`), true);
  });
}

story('a webhook is created, tested, rotated, switched off and deleted without scripts', async () => {
  const page = await visit({ as: 'owner', javaScriptEnabled: false });
  await life(page, async () => {}, false);
});

for (const [theme, width] of [['light', 360], ['dark', 1440]]) {
  story(`a webhook that fails says so, with the longest names, ${theme}, ${width} px`, async () => {
    const page = await visit({ as: 'owner', theme, width });
    await page.goto('/webhooks/new');
    const name = `${theme}-${'W'.repeat(490)}`;
    await page.getByLabel('URL').fill(`http://127.0.0.1:9/${'w'.repeat(2000)}`);
    await page.getByLabel('Description').fill(name);
    await page.getByRole('button', { name: 'Create webhook' }).click();
    await secretOf(page);
    await whole(page, `long-secret-${theme}-${width}`);
    await page.getByRole('link', { name: 'Done' }).click();
    await page.getByRole('button', { name: 'Send a test' }).click();
    await page.getByText('The test is on its way.').waitFor();
    for (let n = 0; n < 40 && !(await page.getByText('no connection').count()); n++) {
      await page.waitForTimeout(250);
      await page.reload();
    }
    await page.getByText('Notices cannot be delivered.').waitFor();
    await page.getByText('next try').waitFor();
    await whole(page, `failing-${theme}-${width}`);
    for (const part of ['edit', 'rotate', 'off', 'delete']) {
      await page.goto(`${new URL(page.url()).pathname.split('/').slice(0, 3).join('/')}/${part}`);
      await whole(page, `long-${part}-${theme}-${width}`);
    }
    await page.goto('/webhooks');
    await whole(page, `long-list-${theme}-${width}`);
    await page.getByRole('link', { name: name.slice(0, 60) }).click();
    await page.getByRole('link', { name: 'Delete…' }).click();
    await page.getByRole('button', { name: 'Delete for good' }).click();
    await page.getByText('is deleted. Nothing more is sent to it.').waitFor();
  });
}

story('the operator has webhooks of the installation, and no member sees them', async () => {
  const receiver = await listen();
  try {
    const page = await visit({ as: 'root' });
    await page.goto('/installation');
    await page.getByRole('link', { name: 'Webhooks', exact: true }).last().click();
    await page.waitForURL(/\/installation\/webhooks$/);
    await page.getByRole('link', { name: 'Create webhook' }).click();
    await page.getByLabel('URL').fill(receiver.url);
    for (const box of await page.getByRole('checkbox').all()) await box.uncheck();
    await page.getByLabel('plan.near_limit').check();
    await page.getByRole('button', { name: 'Create webhook' }).click();
    receiver.secrets.push(await secretOf(page));
    await page.getByRole('link', { name: 'Done' }).click();
    await page.getByRole('button', { name: 'Send a test' }).click();
    await settled(page);
    same(receiver.notices[0].signed, receiver.secrets, 'the secret that verifies it');
    await whole(page, 'installation');
    const owner = await visit({ as: 'owner' });
    same((await owner.goto(new URL(page.url()).pathname)).status(), 404, 'to a member');
    same((await owner.goto('/installation/webhooks')).status(), 403, 'the list to a member');
    await page.getByRole('link', { name: 'Delete…' }).click();
    await page.getByRole('button', { name: 'Delete for good' }).click();
    await page.waitForURL(/\/installation\/webhooks$/);
  } finally {
    receiver.close();
  }
});
