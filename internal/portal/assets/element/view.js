// A view shows the keys of a session in one of three forms: list, create, usage. It shows what the session's
// capabilities and ceiling let; the server decides. View holds the parts that the forms share.
import { button, el, fill } from './build.js';
import { listForm } from './keys.js';
import { createForm } from './create.js';
import { usageForm } from './usage.js';
import { instants, numbers, plainly } from './words.js';

const forms = { list: listForm, create: createForm, usage: usageForm };

export class View {
  // env: root (an element), session, say, locale, options (of the element's attributes), level (of the heading),
  // emit (type, detail), over (error).
  constructor(env) {
    Object.assign(this, env);
    this.status = el('p', { role: 'status', class: 'sr' });
    this.undated = []; // gives texts their instants
  }

  may(capability) {
    if (this.options.readonly && !/:read$/.test(capability)) return false;
    return this.session.may(capability);
  }

  shows(part) { return !this.options.hide.includes(part); }

  heading(deeper, properties, ...children) { return el(`h${this.level + deeper}`, properties, ...children); }

  title() { return this.shows('title') && this.heading(0, { part: 'title' }, this.say('title')); }

  when(instant) { return instants(this.locale).format(new Date(instant)); }

  // dated gives an element a text with instants, which are in plain digits until settle. text gets what says one.
  dated(node, text) {
    const fill = (when) => { node.textContent = text(when); };
    const made = instants.has(this.locale);
    fill(made ? (i) => this.when(i) : plainly);
    if (!made) this.undated.push(() => fill((i) => this.when(i)));
    return node;
  }

  // settle says all instants by the customs of the locale.
  settle() {
    for (const again of this.undated.splice(0)) again();
  }

  number(n) { return numbers(this.locale).format(n); }

  // why says in words why the server refused a request. English is the server's own, which tells more.
  why(error) {
    const word = `error_${error.code}`;
    const known = !this.locale.startsWith('en') && this.say.has(word) ? this.say(word) : error.message;
    const first = error.status ? known : this.say('error_network');
    return [first, ...(error.details ?? []).map((d) => `${d.field}: ${d.message}`)].join(' · ');
  }

  // act does something that the server may refuse, and says how it ended.
  async act(run, within) {
    (within ?? this.root).querySelector('[role=alert]')?.remove();
    try {
      await run();
      return true;
    } catch (error) {
      if (error.status === 401) {
        within?.close?.();
        this.over(error);
        return false;
      }
      if (!(error.status || error instanceof TypeError)) console.error(error); // a fault of this script
      (within ?? this.root).prepend(el('p', { role: 'alert', class: 'wrong', part: 'message' },
        this.say('wrong', { why: this.why(error) })));
      this.emit('error', { code: error.code || 'network', status: error.status ?? 0 });
      return false;
    }
  }

  // grants asks once about the permissions that there are, and those that the member may pass on.
  grants() {
    this.granted ??= Promise.all([this.session.call('GET', '/me'), this.session.call('GET', '/permissions')])
      .then(([me, catalogue]) => ({ grantable: new Set(me.grantable), permissions: catalogue.permissions }));
    this.granted.catch(() => { this.granted = undefined; });
    return this.granted;
  }

  // begin shows the form. It resolves once the form is there with its first data.
  async begin() {
    this.form = forms[this.options.view](this);
    fill(this.root, ...[this.form.element, this.status].flat().filter(Boolean));
    await this.form.load?.();
  }

  async refresh() {
    this.granted = undefined;
    await this.form.load?.();
  }

  // changed asks anew and says that it is done.
  async changed(type, keyId) {
    this.emit(type, { keyId });
    await this.form.load?.();
    this.status.textContent = this.say('done');
  }

  closer(box) {
    return el('div', { class: 'acts' }, button(this.say('close'), () => box().close(), { class: 'main' }));
  }
}

// over shows that a session has ended, or what else went wrong. again is the button that tries anew.
export const over = (root, say, level, error, again) => {
  const wrong = error && error.status !== 401;
  const why = wrong && (error.status ? error.message : say('error_network'));
  fill(root, el(`h${level}`, { part: 'title' }, say(wrong ? 'failedTitle' : 'overTitle')),
    el('p', { part: 'message', role: 'status' }, wrong ? say('wrong', { why }) : say('overHelp')),
    ...(again ? [button(say('again'), again)] : []));
};
