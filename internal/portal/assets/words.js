// The words of the page. {name} stands for a value.
export const en = {
  title: 'API keys', loading: 'Loading…', create: 'Create key', search: 'Search', status: 'Status', all: 'All', active: 'Active', disabled: 'Disabled',
  expired: 'Expired', more: 'Show more', none: 'There is no API key yet.', noMatch: 'No API key matches.', created: 'Created {when}', used: 'Last used {when}',
  unused: 'Never used', expires: 'Expires {when}', never: 'Does not expire', live: 'Live', test: 'Test', earlier: 'An earlier value works until {when}.',
  earlierUsed: 'An earlier value works until {when}. It was last used {used}.', details: 'Usage', rotate: 'Rotate', disable: 'Disable', enable: 'Enable', remove: 'Delete',
  close: 'Close', cancel: 'Cancel', save: 'Save', edit: 'Edit', name: 'Name', environment: 'Environment', permissions: 'Permissions', noPermissions: 'None',
  allPermissions: 'All', readPermissions: 'Read only', chosen: '{n} of {all} chosen', findPermission: 'Find a permission', notHeld: 'You do not hold this.',
  notOffered: 'This page does not offer this.', expiry: 'Expires', days: 'In {n} days', noExpiry: 'Never', minute: 'Requests per minute', day: 'Requests per day', unlimited: 'No limit',
  networks: 'Allowed networks', networksHelp: 'One address or network per line, such as 203.0.113.0/24. Empty allows every address.',
  networksNeeded: 'One address or network per line, such as 203.0.113.0/24.', limits: 'Limits and networks',
  copy: 'Copy', copied: 'Copied', revealTitle: 'Your new key', revealOnce: 'Copy it now. It is not shown again.', envLine: 'As a line of .env', firstRequest: 'A first request',
  rotateTitle: 'Rotate {name}', rotateHelp: 'The key gets a new value. Its permissions and limits stay.', overlap: 'The value of now works', overlapNone: 'no longer',
  overlapHour: 'for 1 hour', overlapDay: 'for 1 day', overlapWeek: 'for 7 days',
  disableTitle: 'Disable {name}?', disableHelp: 'Requests with this key are refused at once. You can enable it again.',
  removeTitle: 'Delete {name}?', removeHelp: 'Requests with this key are refused at once, for good.', lastUse: 'It was last used {when}.', lastUseNever: 'It was never used.',
  usageTitle: 'Usage of {name}', usageNone: 'No request in the last 30 days.', usageTotal: '{n} requests in the last 30 days', accepted: 'Accepted', refused: 'Refused',
  refusals: 'Latest refusals', refusalsNone: 'No request was refused.', from: 'from {ip}', done: 'Done.', overTitle: 'This session has ended', overHelp: 'Open the page of your API keys again.',
  wrong: 'This did not work: {why}',
};

const tables = { en };

// words gives the function that says a word in a locale, with values in the places that name them.
export const words = (locale) => {
  const wanted = [locale, locale.split('-')[0], 'en'].find((l) => l in tables);
  return (id, values = {}) => tables[wanted][id].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');
};
