const redacted = "[secret]";
const keyForm = /^([a-z][a-z0-9]{0,15}_(?:live|test|svc)_)[0-9A-Za-z]{49}$/;
const inspect = Symbol.for("nodejs.util.inspect.custom");

/** A value that is shown once. It prints, logs and serialises as "[secret]"; `reveal()` gives it. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** Gives the value. Store it where secrets are stored, and nowhere else. */
  reveal(): string {
    return this.#value;
  }

  /** Compares two values in a time that does not depend on where they differ. */
  equals(other: Secret): boolean {
    const a = this.#value;
    const b = other.#value;
    let different = a.length ^ b.length;
    for (let i = 0; i < a.length; i++) different |= a.charCodeAt(i) ^ b.charCodeAt(i % (b.length || 1));
    return different === 0;
  }

  toString(): string {
    return redacted;
  }

  toJSON(): string {
    return redacted;
  }

  [inspect](): string {
    return redacted;
  }
}

/** Tells whether a text has the form of a key of Keyward. */
export function looksLikeKey(text: string): boolean {
  return keyForm.test(text);
}

/** Shows a value as the server does: kw_live_AbCd…wxyz. */
export function mask(text: string): string {
  const head = keyForm.exec(text)?.[1]?.length;
  return head === undefined ? text : text.slice(0, head + 4) + "…" + text.slice(-4);
}

/** Gives the text of a token or a value. */
export function reveal(value: string | Secret): string {
  return typeof value === "string" ? value : value.reveal();
}
