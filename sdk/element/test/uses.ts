// What a product writes compiles, and a mistake does not.
import { KeywardKeys } from "keyward-element";
import type { PortalSessionAnswer } from "keyward-element";

const element: KeywardKeys = document.createElement("keyward-keys");
element.fetchSession = async (): Promise<PortalSessionAnswer | undefined> => {
  const answer = await fetch("/keys/session", { method: "POST" });
  return answer.ok ? ((await answer.json()) as PortalSessionAnswer) : undefined;
};
element.messages = { title: "Access", days: { one: "{n} day", other: "{n} days" } };
element.addEventListener("keyward-key-created", ({ detail }) => detail.keyId.length);
element.addEventListener("keyward-error", ({ detail }) => detail.status + 1);
element.addEventListener("click", (event) => event.preventDefault());
void element.create({ name: "CI", permissions: ["calls:read"] }).then(() => element.refresh());
void element.end();
document.querySelector("keyward-keys")?.refresh();

// @ts-expect-error: no event carries a value
element.addEventListener("keyward-secret-shown", ({ detail }) => detail.value);
// @ts-expect-error: a plural has a form for other
element.messages = { days: { one: "{n} day" } };
// @ts-expect-error: a session has a secret
element.fetchSession = async () => ({ portalSession: { id: "x" } });
