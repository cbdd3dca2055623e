// Shows the value of a key once. It stands in no attribute and in no event, and is gone with the dialog.
import { button, dialog, el } from './build.js';

const programs = (address) => [
  ['curl', `curl -H "Authorization: Bearer $API_KEY" ${address}`],
  ['JavaScript', `const answer = await fetch("${address}", {\n  headers: { Authorization: \`Bearer \${process.env.API_KEY}\` },\n});\nconsole.log(await answer.json());`],
  ['Python', `import os, urllib.request\n\nrequest = urllib.request.Request("${address}",\n    headers={"Authorization": "Bearer " + os.environ["API_KEY"]})\nprint(urllib.request.urlopen(request).read().decode())`],
  ['Go', `request, _ := http.NewRequest("GET", "${address}", nil)\nrequest.Header.Set("Authorization", "Bearer "+os.Getenv("API_KEY"))\nanswer, err := http.DefaultClient.Do(request)`],
];

export const reveal = (view, keyId, value) => {
  const { say } = view;
  const copyable = (text, label, secret) => {
    const content = el('code', {}, text);
    const copy = button(say('copy'), async () => {
      try {
        await navigator.clipboard.writeText(text);
      } catch { // a frame without the permission: the text is marked, so that the keyboard copies it
        getSelection().selectAllChildren(content);
        return;
      }
      copy.textContent = say('copied');
      if (secret) view.emit('secret-copied', { keyId });
    }, { 'aria-label': `${say('copy')}: ${label}` });
    const shown = { tabindex: '0', 'aria-label': label, role: 'region', dir: 'ltr', part: 'value' };
    return el('div', { class: 'copyable' }, el('pre', shown, content), copy);
  };
  const snippets = view.shows('snippets') && [
    el('h3', {}, say('envLine')), copyable(`API_KEY=${value}`, say('envLine'), true), el('h3', {}, say('firstRequest')),
    programs(`${view.session.server}/api/v2/api-keys/self`)
      .map(([name, text]) => el('details', {}, el('summary', {}, name), copyable(text, name)))];
  const box = dialog(view.root, say('revealTitle'), el('p', {}, say('revealOnce')),
    copyable(value, say('revealTitle'), true), ...(snippets || []), view.closer(() => box));
  box.classList.add('value');
  box.onclosed = () => view.emit('secret-dismissed', { keyId });
  view.emit('secret-shown', { keyId });
};
