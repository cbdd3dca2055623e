// The programs beside a new key work as pasted: curl, Go and Python, with the clients of this repository. TypeScript's is run by the
// tests of its client, which translate it.
import { execFile } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { same, setup, story, visit, want } from './harness.mjs';

const run = promisify(execFile);
const root = resolve('../..');

story('the programs beside a new key work as pasted', async () => {
  const page = await visit({ as: 'developer' });
  await page.goto('/keys/new');
  await page.getByLabel('Name', { exact: true }).fill('pasted "once" & $more');
  await page.getByRole('group', { name: 'chat', exact: true }).getByLabel('Read', { exact: true }).check();
  await page.getByRole('button', { name: 'Create key' }).click();
  const value = (await page.locator('#value').textContent()).trim();
  const text = {};
  for (const language of ['curl', 'TypeScript', 'Python', 'Go', '.env']) {
    await page.getByRole('radio', { name: language, exact: true }).check();
    const shown = page.locator('.lang pre:visible');
    same(await shown.count(), 1, `programs shown under ${language}`);
    text[language] = await shown.textContent();
    want(text[language].includes(value) && text[language].includes(`:${new URL(setup.url).port}`), `${language}: ${text[language]}`);
  }
  const folder = mkdtempSync(join(tmpdir(), 'snippet-'));
  const me = JSON.parse((await run('bash', ['-c', text.curl])).stdout).data.result;
  same([me.credential.name, me.permissions], ['pasted "once" & $more', ['chat:read']], 'curl');

  writeFileSync(join(folder, 'main.py'), text.Python);
  const python = await run('python3', [join(folder, 'main.py')], { env: { ...process.env, PYTHONPATH: join(root, 'sdk/python/src'), PYTHONDONTWRITEBYTECODE: '1' } });
  same(python.stdout.trim(), 'pasted "once" & $more [\'chat:read\']', 'Python');

  writeFileSync(join(folder, 'main.go'), text.Go);
  const at = join(root, 'test/browser/snippet/main.go'); // there is no such file: the overlay puts it into the module
  writeFileSync(join(folder, 'overlay.json'), JSON.stringify({ Replace: { [at]: join(folder, 'main.go') } }));
  const go = await run('go', ['run', '-overlay', join(folder, 'overlay.json'), './test/browser/snippet'], { cwd: root });
  same(go.stdout.trim(), 'pasted "once" & $more [chat:read]', 'Go');

  same(text['.env'].split('\n').map((line) => line.split('=')[0]), ['KEYWARD_URL', 'PASTED_ONCE_MORE_KEY'], '.env');
});
