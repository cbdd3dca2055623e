/**
 * Gives Web Crypto. Node 18 has it in a module alone. The module's name is made at run time, so that no bundler for browsers and
 * Workers looks for it.
 */
export async function webCrypto(): Promise<Crypto> {
  if (globalThis.crypto) return globalThis.crypto;
  const name = ["node", "crypto"].join(":");
  return ((await import(name)) as { webcrypto: Crypto }).webcrypto;
}

/** Gives a random UUID (version 4). */
export async function uuid(): Promise<string> {
  return (await webCrypto()).randomUUID();
}
