// <KeywardKeys> for React 18 and 19: the element <keyward-keys> with attributes, functions and events as props.
import { createElement, forwardRef, useEffect, useImperativeHandle, useRef } from 'react';
import './keyward.js';

const events = {
  onReady: 'ready',
  onError: 'error',
  onSessionExpired: 'session-expired',
  onKeyCreated: 'key-created',
  onKeyUpdated: 'key-updated',
  onKeyRotated: 'key-rotated',
  onKeyDisabled: 'key-disabled',
  onKeyDeleted: 'key-deleted',
  onSecretShown: 'secret-shown',
  onSecretCopied: 'secret-copied',
  onSecretDismissed: 'secret-dismissed',
};

export const KeywardKeys = forwardRef((props, ref) => {
  const { fetchSession, messages, hide, expirations, defaultExpiration, pageSize, readOnly, className, ...rest } = props;
  const element = useRef(null);
  const latest = useRef(props);
  latest.current = props;
  useImperativeHandle(ref, () => element.current, []);
  useEffect(() => {
    const { current } = element;
    const listeners = Object.entries(events).map(([prop, type]) => {
      const listener = (event) => latest.current[prop]?.(event);
      current.addEventListener(`keyward-${type}`, listener);
      return () => current.removeEventListener(`keyward-${type}`, listener);
    });
    return () => listeners.forEach((stop) => stop());
  }, []);
  const asks = Boolean(fetchSession);
  useEffect(() => { // a function that is another one at each render is no new session
    element.current.fetchSession = asks ? () => latest.current.fetchSession() : undefined;
  }, [asks]);
  const said = JSON.stringify(messages ?? {});
  useEffect(() => { element.current.messages = JSON.parse(said); }, [said]);
  const attributes = Object.fromEntries(Object.entries(rest).filter(([name]) => !(name in events)));
  return createElement('keyward-keys', {
    ...attributes,
    ref: element,
    class: className,
    hide: hide?.join(' '),
    expirations: expirations?.join(' '),
    'default-expiration': defaultExpiration,
    'page-size': pageSize,
    readonly: readOnly ? '' : undefined,
  });
});
KeywardKeys.displayName = 'KeywardKeys';
