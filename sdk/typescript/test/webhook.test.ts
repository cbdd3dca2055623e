import { readFileSync } from "node:fs";
import { afterEach, describe, expect, test, vi } from "vitest";
import { KeywardError, Secret, verifyWebhook, WebhookSignatureError } from "../src/index.js";

interface Case {
  name: string;
  says: "good" | "signature" | "secret";
  secret: string;
  headers: Record<string, string>;
  body: string;
  clock: number;
}

const cases = JSON.parse(readFileSync(new URL("../../conformance/webhooks.json", import.meta.url), "utf8")) as Case[];

afterEach(() => void vi.useRealTimers());

/** The forms in which the headers of a request come. */
const forms = {
  "an object": (headers: Record<string, string>) => headers,
  "a list of values each": (headers: Record<string, string>) =>
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
  Headers: (headers: Record<string, string>) => new Headers(headers),
};

describe.each(Object.entries(forms))("headers as %s", (_, form) => {
  test.each(cases.filter((c) => form !== forms.Headers || /^[ -~]*$/.test(Object.values(c.headers).join(""))))(
    "$name",
    async ({ says, secret, headers, body, clock }) => {
      vi.useFakeTimers({ toFake: ["Date"], now: clock * 1000 });
      for (const raw of [body, new TextEncoder().encode(body)]) {
        const verified = verifyWebhook(secret, form(headers), raw);
        if (says === "good") {
          expect(await verified).toEqual(JSON.parse(body));
          continue;
        }
        const refused = await verified.catch((e: unknown) => e);
        expect(refused).toBeInstanceOf(KeywardError);
        expect(refused instanceof WebhookSignatureError).toBe(says === "signature");
        if (secret.length > 10) expect(String(refused)).not.toContain(secret);
      }
    },
  );
});

test("a secret that is wrapped verifies", async () => {
  const [good] = cases as [Case];
  vi.useFakeTimers({ toFake: ["Date"], now: good.clock * 1000 });
  expect(await verifyWebhook(new Secret(good.secret), good.headers, good.body)).toEqual(JSON.parse(good.body));
});

test("there are cases", () => expect(cases.length).toBeGreaterThan(40));
