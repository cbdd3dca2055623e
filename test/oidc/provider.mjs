// A real OpenID provider on a free port of this machine. It prints its issuer, then takes one JSON object a line: {client, secret,
// redirect} begins to serve, with new keys each time, and is answered with "ready". Until then it is down. Everybody can sign in, as
// whoever they say; what is claimed of them hangs on the name.
import { createServer } from 'node:http';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

console.info = console.warn = console.error; // what is said on standard output is for the test

let handle = (_, res) => { res.statusCode = 503; res.end(); };
const server = createServer((req, res) => handle(req, res));
server.listen(0, '127.0.0.1', () => console.log(issuer()));
const issuer = () => `http://127.0.0.1:${server.address().port}`;

function claimsOf(sub) {
  return { sub, email: `${sub}@example.org`, email_verified: !sub.startsWith('unverified'), name: `The ${sub}`, preferred_username: sub };
}

function provider({ client, secret, redirect }) {
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
  return new Provider(issuer(), {
    clients: [{
      client_id: client, client_secret: secret, redirect_uris: [redirect],
      grant_types: ['authorization_code'], response_types: ['code'],
    }],
    jwks: { keys: [{ ...key, use: 'sig', alg: 'RS256', kid: randomUUID() }] },
    cookies: { keys: [randomUUID()] },
    pkce: { required: () => true },
    conformIdTokenClaims: false,
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'preferred_username'] },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => claimsOf(sub) }),
    features: {
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => ({ scope: 'openid', audience: resource, accessTokenFormat: 'jwt', accessTokenTTL: 300 }),
      },
    },
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  handle = provider(JSON.parse(line)).callback();
  console.log('ready');
}
process.exit(0);
