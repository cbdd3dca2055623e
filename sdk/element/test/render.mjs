// Renders on a server, where there is no page.
import { createElement } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import { KeywardKeys } from 'keyward-element/react';

const props = { view: 'create', locale: 'ar', className: 'keys', hide: ['search', 'status'], expirations: [7, 'never'], pageSize: 5,
  readOnly: true, fetchSession: async () => undefined, onReady: () => {} };
console.log(renderToStaticMarkup(createElement(KeywardKeys, props)));
