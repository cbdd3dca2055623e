// Makes elements out of names, properties and children. Text is text: nothing here reads HTML.
export const el = (name, properties = {}, ...children) => {
  const made = document.createElement(name);
  for (const [property, value] of Object.entries(properties)) {
    if (property.startsWith('on')) made.addEventListener(property.slice(2), value);
    else if (property in made && typeof value !== 'string') made[property] = value;
    else if (value !== undefined) made.setAttribute(property, value);
  }
  made.append(...children.flat().filter((c) => c !== undefined && c !== null && c !== false));
  return made;
};

export const button = (label, onclick, properties = {}) => el('button', { type: 'button', onclick, ...properties }, label);

let made = 0;

// field is a control with its label, and a help text where there is one.
export const field = (label, control, help) => {
  control.id ||= `f${++made}`;
  if (help) control.setAttribute('aria-describedby', `${control.id}-help`);
  return el('div', { class: 'field' }, el('label', { for: control.id }, label), control, help && el('p', { class: 'help', id: `${control.id}-help` }, help));
};

export const choice = (options, value) => {
  const select = el('select', {}, options.map(([v, label]) => el('option', { value: v }, label)));
  if (value !== undefined) select.value = value;
  return select;
};

// dialog opens a modal dialog with a title. It is gone from the page when close returns: it may hold a value.
export const dialog = (root, title, ...children) => {
  const heading = el('h2', { id: `d${++made}` }, title);
  const box = el('dialog', { 'aria-labelledby': heading.id }, heading, ...children);
  box.addEventListener('close', () => box.remove()); // by the Escape key
  box.close = () => {
    HTMLDialogElement.prototype.close.call(box);
    box.remove();
  };
  root.append(box);
  box.showModal();
  return box;
};
