// The words of the element in English. {name} stands for a value; forms of a plural are chosen by the value n. The other
// languages are files under words, with the same ids, which are loaded when they are needed.
export const en = {
  title: 'API keys',
  loading: 'Loading…',
  create: 'Create key',
  search: 'Search',
  status: 'Status',
  all: 'All',
  active: 'Active',
  disabled: 'Disabled',
  expired: 'Expired',
  more: 'Show more',
  none: 'There is no API key yet.',
  noMatch: 'No API key matches.',
  created: 'Created {when}',
  used: 'Last used {when}',
  unused: 'Never used',
  expires: 'Expires {when}',
  never: 'Does not expire',
  live: 'Live',
  test: 'Test',
  earlier: 'An earlier value works until {when}.',
  earlierUsed: 'An earlier value works until {when}. It was last used {used}.',
  earlierFrom: 'An earlier value works until {when}. It was last used {used}, from {network}.',
  details: 'Usage',
  edit: 'Edit',
  editTitle: 'Edit {name}',
  save: 'Save',
  keepExpiry: 'As it is: {when}',
  keepNoExpiry: 'As it is: never',
  rotate: 'Rotate',
  disable: 'Disable',
  enable: 'Enable',
  remove: 'Delete',
  close: 'Close',
  cancel: 'Cancel',
  name: 'Name',
  environment: 'Environment',
  permissions: 'Permissions',
  noPermissions: 'None',
  allPermissions: 'All',
  readPermissions: 'Read only',
  chosen: '{n} of {all} chosen',
  findPermission: 'Find a permission',
  notHeld: 'You do not hold this.',
  notOffered: 'This page does not offer this.',
  expiry: 'Expires',
  days: { one: 'In {n} day', other: 'In {n} days' },
  noExpiry: 'Never',
  minute: 'Requests per minute',
  day: 'Requests per day',
  unlimited: 'No limit',
  networks: 'Allowed networks',
  networksHelp: 'One address or network per line, such as 203.0.113.0/24. Empty allows every address.',
  networksNeeded: 'One address or network per line, such as 203.0.113.0/24.',
  limits: 'Limits and networks',
  copy: 'Copy',
  copied: 'Copied',
  revealTitle: 'Your new key',
  revealOnce: 'Copy it now. It is not shown again.',
  envLine: 'As a line of .env',
  firstRequest: 'A first request',
  rotateTitle: 'Rotate {name}',
  rotateHelp: 'The key gets a new value. Its permissions and limits stay.',
  overlap: 'The value of now works',
  overlapNone: 'no longer',
  overlapHours: { one: 'for {n} hour', other: 'for {n} hours' },
  overlapDays: { one: 'for {n} day', other: 'for {n} days' },
  disableTitle: 'Disable {name}?',
  disableHelp: 'Requests with this key are refused at once. You can enable it again.',
  removeTitle: 'Delete {name}?',
  removeHelp: 'Requests with this key are refused at once, for good.',
  lastUse: 'It was last used {when}.',
  lastUseNever: 'It was never used.',
  usageTitle: 'Usage of {name}',
  usageNone: 'No request in the last 30 days.',
  usageTotal: { one: '{n} request in the last 30 days', other: '{n} requests in the last 30 days' },
  left: 'What is left',
  left_minute: 'This minute',
  left_day: 'Today (UTC)',
  left_workspaceMinute: 'All keys, this minute',
  left_workspaceDay: 'All keys, today (UTC)',
  leftOf: '{n} of {limit}',
  leftBack: 'all back: {when}',
  leftRetry: 'No request is admitted before {when}.',
  leftLeased: 'Several servers count together: there may be a little more.',
  whichKey: 'API key',
  accepted: 'Accepted',
  refused: 'Refused',
  refusals: 'Latest refusals',
  refusalsNone: 'No request was refused.',
  from: 'from {ip}',
  done: 'Done.',
  notAllowed: 'This page does not offer this.',
  overTitle: 'This session has ended',
  overHelp: 'Open the page of your API keys again.',
  failedTitle: 'Your API keys could not be loaded',
  again: 'Try again',
  wrong: 'This did not work: {why}',
  error_network: 'The server was not reached.',
  error_invalid_request: 'The request is not valid.',
  error_permission_denied: 'This is not allowed.',
  error_permission_escalation: 'A key can do nothing that you cannot.',
  error_not_found: 'It is not there any more.',
  error_conflict: 'It has changed meanwhile, or does not fit.',
  error_limit_reached: 'A limit is reached.',
  error_rate_limited: 'Too many requests. Wait a moment.',
  error_unavailable: 'The server is not available. Wait a moment.',
  error_outcome_unknown: 'It is not known whether this was done. Look before you try again.',
  error_internal_error: 'The server made a mistake.',
  why_NOT_FOUND: 'The value is not known: it was replaced or deleted.',
  why_DISABLED: 'The key was disabled.',
  why_EXPIRED: 'The key had expired.',
  why_IP_FORBIDDEN: 'The address is not in the allowed networks.',
  why_INSUFFICIENT_PERMISSIONS: 'The key lacks a permission.',
  why_RATE_LIMITED: 'The limit per minute was reached.',
  why_QUOTA_EXCEEDED: 'The limit per day was reached.',
};

const languages = ['ar', 'de', 'es', 'fr', 'ja', 'pt-BR'];

// languageOf is the language among those there are that fits a locale best; en where none does.
export const languageOf = (locale) => {
  const wanted = String(locale ?? '').toLowerCase();
  return languages.find((l) => l.toLowerCase() === wanted)
    ?? languages.find((l) => l.split('-')[0].toLowerCase() === wanted.split('-')[0]) ?? 'en';
};

const loaded = new Map();

// tableOf loads the words of a language once. A page without them speaks English.
const tableOf = (server, language) => {
  if (language === 'en') return en;
  const at = `${server}/portal/words/${language}.json`;
  if (!loaded.has(at)) {
    const table = fetch(at, { credentials: 'omit', referrerPolicy: 'no-referrer' }).then((a) => (a.ok ? a.json() : undefined));
    loaded.set(at, table.catch(() => undefined));
  }
  return loaded.get(at);
};

const localeFor = (wanted, language) => {
  try {
    if (languageOf(wanted) === language && Intl.getCanonicalLocales(wanted)[0].split('-')[0] === language.split('-')[0]) return wanted;
  } catch { /* not a locale */ }
  return language;
};

// oncePer keeps what is made for a locale. A browser takes 30 to 60 ms to make the first one, and a slow one four times that.
const oncePer = (make) => {
  const kept = new Map();
  const get = (locale) => {
    if (!kept.has(locale)) kept.set(locale, make(locale));
    return kept.get(locale);
  };
  get.has = (locale) => kept.has(locale);
  return get;
};

// instants, numbers and plurals format by the customs of a locale.
export const instants = oncePer((locale) => new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' }));
export const numbers = oncePer((locale) => new Intl.NumberFormat(locale));
const plurals = oncePer((locale) => new Intl.PluralRules(locale));

// plainly writes an instant in digits alone, until there is time to make the formatter of a locale. No-break spaces keep
// about the room that its text takes.
export const plainly = (instant) => {
  const at = new Date(instant);
  const two = (n) => String(n).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`.padEnd(20, '\u00a0');
};

// warm makes the formatter of instants while the page waits.
export const warm = (wanted) => instants(localeFor(wanted, languageOf(wanted)));

// words gives the function that says a word in a locale, with values in the places that name them. messages replace
// single words.
export const words = async (server, wanted, messages = {}) => {
  let language = languageOf(wanted);
  let table = await tableOf(server, language);
  if (!table) [language, table] = ['en', en];
  const locale = localeFor(wanted, language);
  const formOf = (id) => (Object.hasOwn(messages, id) ? messages[id] : table[id] ?? en[id]);
  const say = (id, values = {}) => {
    let form = formOf(id);
    if (typeof form === 'object') form = form[plurals(locale).select(values.n)] ?? form.other;
    return String(form).replace(/\{(\w+)\}/g, (_, name) => {
      const value = values[name];
      return typeof value === 'number' ? numbers(locale).format(value) : value ?? '';
    });
  };
  say.has = (id) => Object.hasOwn(en, id);
  return { say, locale, language, dir: language === 'ar' ? 'rtl' : 'ltr' };
};
