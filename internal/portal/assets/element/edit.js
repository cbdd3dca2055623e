// The form for a change of a key: name, expiry, limits, networks. Only what the person changed is sent, so what another person
// changed meanwhile stays.
import { button, choice, dialog, el, field } from './build.js';
import { update } from './change.js';
import { expiries, limits, until } from './create.js';

export const askEdit = (view, k) => {
  const { say } = view;
  const name = el('input', { required: true, maxlength: '255', autocomplete: 'off', value: k.name, dir: 'auto' });
  const kept = k.expiresAt ? say('keepExpiry', { when: view.when(k.expiresAt) }) : say('keepNoExpiry');
  const expiry = choice([['keep', kept], ...expiries(view)], 'keep');
  const more = limits(view, k);
  const change = () => {
    const out = { id: k.id };
    if (name.value !== k.name) out.name = name.value;
    if (expiry.value !== 'keep') out.expiresAt = until(expiry.value) ?? null;
    more.changes(out);
    return out;
  };
  const save = async () => {
    const body = change();
    if (Object.keys(body).length > 1) await update(view, body);
    box.close();
    if (Object.keys(body).length > 1) await view.changed('key-updated', k.id);
  };
  const send = el('button', { class: 'main', part: 'button button-main' }, say('save'));
  const form = el('form', { part: 'form', onsubmit: async (e) => {
    e.preventDefault();
    send.disabled = true;
    await view.act(save, box);
    send.disabled = false;
  } }, field(say('name'), name), field(say('expiry'), expiry), view.shows('limits') && more.element,
  el('div', { class: 'acts' }, button(say('cancel'), () => box.close()), send));
  const box = dialog(view.root, say('editTitle', { name: k.name }), form);
};
