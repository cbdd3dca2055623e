// Makes elements out of names, properties and children. Text is text: nothing here reads HTML.
export const el = (name, properties = {}, ...children) => {
  const made = document.createElement(name);
  for (const [property, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    if (property.startsWith('on')) made.addEventListener(property.slice(2), value);
    else if (property in made && typeof value !== 'string') made[property] = value;
    else made.setAttribute(property, value);
  }
  made.append(...children.flat().filter((c) => c !== undefined && c !== null && c !== false));
  return made;
};

// button is a button. Its part lets a host page style it: ::part(button), ::part(button-main), ::part(button-danger).
export const button = (label, onclick, properties = {}) => {
  const kinds = (properties.class ?? '').split(' ').filter(Boolean).map((k) => `button-${k}`);
  return el('button', { type: 'button', part: ['button', ...kinds].join(' '), onclick, ...properties }, label);
};

// painted resolves once the browser has painted what is there: work that can wait is done after it.
export const painted = () => new Promise((resolve) => {
  requestAnimationFrame(() => setTimeout(resolve));
  setTimeout(resolve, 100); // of a page that is hidden and paints nothing
});

let numbered = 0;

// field is a control with its label, and a help text where there is one.
export const field = (label, control, help) => {
  control.id ||= `f${++numbered}`;
  control.setAttribute('part', 'input');
  if (help) control.setAttribute('aria-describedby', `${control.id}-help`);
  return el('div', { class: 'field', part: 'field' }, el('label', { for: control.id }, label), control,
    help && el('p', { class: 'help', id: `${control.id}-help` }, help));
};

export const choice = (options, value) => {
  const select = el('select', {}, options.map(([v, label]) => el('option', { value: v }, label)));
  if (value !== undefined) select.value = value;
  return select;
};

// named is text of a person, such as a name: it keeps its own direction within a line of another one.
export const named = (text) => el('bdi', {}, text);

// code is text that is read from left to right in every language.
export const code = (text) => el('code', { dir: 'ltr' }, text);

// dialog opens a modal dialog with a title. It is gone from the page when close returns: it may hold a value.
export const dialog = (root, title, ...children) => {
  const heading = el('h2', { id: `d${++numbered}` }, title);
  const box = el('dialog', { 'aria-labelledby': heading.id, part: 'dialog' }, heading, ...children);
  box.addEventListener('close', () => box.remove()); // by the Escape key
  box.close = () => {
    HTMLDialogElement.prototype.close.call(box);
    box.remove();
    box.onclosed?.();
  };
  box.addEventListener('cancel', () => box.onclosed?.());
  root.append(box);
  box.showModal();
  return box;
};

// fill gives an element other children. A dialog that shows a value stays: the value is not shown again.
export const fill = (root, ...children) => {
  for (const child of [...root.children]) if (!child.matches('dialog.value')) child.remove();
  root.prepend(...children);
};
