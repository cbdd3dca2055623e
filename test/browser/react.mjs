// A page of a product in React, for the stories of the element.
import { createElement, useRef, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { KeywardKeys } from '../../sdk/element/react.js';

const Page = () => {
  const [heard, hear] = useState([]);
  const element = useRef(null);
  const listen = (name) => ({ detail }) => hear((before) => [...before, `${name} ${Object.keys(detail)}`]);
  return createElement('main', {}, createElement('h1', {}, 'A platform in React'),
    createElement('button', { onClick: () => element.current.create({ name: 'by React', permissions: ['calls:read'] }) }, 'New'),
    createElement('output', {}, heard.join(', ')),
    createElement(KeywardKeys, {
      ref: element, hide: heard.length > 2 ? ['search', 'status'] : ['search'], messages: { title: 'Access' },
      fetchSession: async () => (await fetch('/keys-session', { method: 'POST' })).json(), // another function at each render
      onReady: listen('ready'), onKeyCreated: listen('created'), onSecretShown: listen('shown'),
    }));
};

createRoot(document.getElementById('root')).render(createElement(Page));
