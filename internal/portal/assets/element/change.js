// Changes of one key: rotate, disable, enable, delete. Those that stop requests ask first.
import { button, choice, dialog, el, field } from './build.js';
import { reveal } from './reveal.js';

// update changes one key. The API takes many, each for itself: the refusal of the one is its answer.
export const update = async (view, change) => {
  const { errors } = await view.session.call('PUT', '/api-keys', { apiKeys: [change] });
  if (errors.length) throw Object.assign(new Error(errors[0].error), { status: 400, details: errors[0].details });
};

// confirm asks before something that stops requests. run gives what is done after the dialog has closed.
const confirm = (view, word, k, event, run, extra = []) => {
  const { say } = view;
  const last = k.lastUsedAt ? say('lastUse', { when: view.when(k.lastUsedAt) }) : say('lastUseNever');
  const act = async () => {
    const then = await run();
    box.close();
    await view.changed(event, k.id);
    then?.();
  };
  const box = dialog(view.root, say(`${word}Title`, { name: k.name }), el('p', {}, say(`${word}Help`)),
    el('p', { class: 'quiet' }, last), extra,
    el('div', { class: 'acts' }, button(say('cancel'), () => box.close()),
      button(say(word), () => view.act(act, box), { class: word === 'remove' ? 'danger main' : 'main' })));
};

export const askDisable = (view, k) => confirm(view, 'disable', k, 'key-disabled',
  () => update(view, { id: k.id, isActive: false }));

export const enable = (view, k) => view.act(async () => {
  await update(view, { id: k.id, isActive: true });
  await view.changed('key-updated', k.id);
});

export const askRemove = (view, k) => confirm(view, 'remove', k, 'key-deleted', async () => {
  await view.session.call('DELETE', `/api-keys/${k.id}`);
});

export const askRotate = (view, k) => {
  const { say } = view;
  const overlaps = [['0', say('overlapNone')], ['3600', say('overlapHours', { n: 1 })],
    ['86400', say('overlapDays', { n: 1 })], ['604800', say('overlapDays', { n: 7 })]];
  const overlap = choice(overlaps, '86400');
  const once = crypto.randomUUID();
  confirm(view, 'rotate', k, 'key-rotated', async () => {
    const body = { overlapSeconds: Number(overlap.value) };
    const made = await view.session.call('POST', `/api-keys/${k.id}/rotate`, body, { 'Idempotency-Key': once });
    return () => reveal(view, k.id, made.key);
  }, [field(say('overlap'), overlap)]);
};
