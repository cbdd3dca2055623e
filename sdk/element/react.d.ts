import type { ForwardRefExoticComponent, HTMLAttributes, RefAttributes } from "react";
import type {
  FetchSession,
  KeywardKeys as KeywardKeysElement,
  KeywardKeysAttributes,
  KeywardKeysEventMap,
  Message,
} from "./keyward.js";

type Listener<K extends keyof KeywardKeysEventMap> = (event: KeywardKeysEventMap[K]) => void;

export interface KeywardKeysProps
  extends Omit<HTMLAttributes<KeywardKeysElement>, "onError">,
    Pick<KeywardKeysAttributes, "server" | "session" | "locale" | "theme" | "view"> {
  fetchSession?: FetchSession;
  messages?: Record<string, Message>;
  hide?: string[];
  expirations?: (number | "never")[];
  defaultExpiration?: number | "never";
  pageSize?: number;
  readOnly?: boolean;
  onReady?: Listener<"keyward-ready">;
  onError?: Listener<"keyward-error">;
  onSessionExpired?: Listener<"keyward-session-expired">;
  onKeyCreated?: Listener<"keyward-key-created">;
  onKeyUpdated?: Listener<"keyward-key-updated">;
  onKeyRotated?: Listener<"keyward-key-rotated">;
  onKeyDisabled?: Listener<"keyward-key-disabled">;
  onKeyDeleted?: Listener<"keyward-key-deleted">;
  onSecretShown?: Listener<"keyward-secret-shown">;
  onSecretCopied?: Listener<"keyward-secret-copied">;
  onSecretDismissed?: Listener<"keyward-secret-dismissed">;
}

export declare const KeywardKeys: ForwardRefExoticComponent<KeywardKeysProps & RefAttributes<KeywardKeysElement>>;
