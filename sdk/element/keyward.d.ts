// Types of <keyward-keys>.

/** The answer of `POST /api/v2/portal-sessions`, as your route passes it on. */
export interface PortalSessionAnswer {
  portalSession: { id: string; reveal?: "anywhere" | "frame"; locale?: string | null; theme?: string | null };
  clientSecret: string;
  /** The address of the hosted page. Its origin is the server's, where the attribute `server` names none. */
  url?: string;
}

/** Asks your own server for a session. Nothing, or a failure, stands for a user who is signed out. */
export type FetchSession = () => Promise<PortalSessionAnswer | undefined | null>;

/** A word, or the forms of one by the category of a plural (`Intl.PluralRules`). */
export type Message = string | ({ other: string } & Partial<Record<Intl.LDMLPluralRule, string>>);

/** What a form for a new key is filled in with. The user decides. */
export interface NewKey {
  name?: string;
  permissions?: Iterable<string>;
}

export interface KeyDetail {
  keyId: string;
}

export interface ErrorDetail {
  /** The code of the API's answer, or `network`. */
  code: string;
  /** The status of the answer; 0 where there was none. */
  status: number;
}

/** The events of the element. They bubble and are composed, and none carries a value. */
export interface KeywardKeysEventMap {
  "keyward-ready": CustomEvent<Record<string, never>>;
  "keyward-error": CustomEvent<ErrorDetail>;
  "keyward-session-expired": CustomEvent<Record<string, never>>;
  "keyward-key-created": CustomEvent<KeyDetail>;
  "keyward-key-updated": CustomEvent<KeyDetail>;
  "keyward-key-rotated": CustomEvent<KeyDetail>;
  "keyward-key-disabled": CustomEvent<KeyDetail>;
  "keyward-key-deleted": CustomEvent<KeyDetail>;
  "keyward-secret-shown": CustomEvent<KeyDetail>;
  "keyward-secret-copied": CustomEvent<KeyDetail>;
  "keyward-secret-dismissed": CustomEvent<KeyDetail>;
}

/** The attributes of the element. */
export interface KeywardKeysAttributes {
  server?: string;
  session?: string;
  locale?: string;
  theme?: "auto" | "light" | "dark";
  view?: "list" | "create" | "usage";
  /** Names of parts that are not shown, with spaces between them. */
  hide?: string;
  /** Days, with spaces between them, and `never`. */
  expirations?: string;
  "default-expiration"?: string;
  "page-size"?: string;
  readonly?: "";
}

export class KeywardKeys extends HTMLElement {
  fetchSession: FetchSession | undefined;
  messages: Record<string, Message>;
  /** Asks for the data anew. */
  refresh(): Promise<void>;
  /** Opens the form for a new key, filled in. */
  create(given?: NewKey): Promise<void>;
  /** Forgets the token and its key, and says that the session has ended. */
  end(): Promise<void>;
  addEventListener<K extends keyof KeywardKeysEventMap>(
    type: K,
    listener: (this: KeywardKeys, event: KeywardKeysEventMap[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "keyward-keys": KeywardKeys;
  }
}
