// A certified OpenID provider with a few people, on a free port. What it is told over HTTP, only tests tell it:
// POST /test/rotate makes a new key and withdraws the old, POST /test/logout?sub=... tells Daypass that somebody signed out.
// POST /test/replay?sub=... does too, by the same token each time, and says what Daypass answered; client=... is for another.
// GET /test/job gives a job a token of its own, as GitHub does: for the audience that it asks for, by the bearer it was given.
//
// Environment: DAYPASS_URL, the address of the server under test; PAGES_URL, what browsers know it by. NODE_EXTRA_CA_CERTS is
// its authority.
import { createServer } from 'node:http';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { SignJWT, importJWK } from 'jose';
import Provider from 'oidc-provider';

const people = {
  carol: { preferred_username: 'carol@corp.example', groups: ['Database team', 'Everybody'] },
  // Two who call themselves as others do.
  mallory: { preferred_username: 'carol@corp.example', email: 'carol@corp.example', email_verified: true, groups: [] },
  trudy: { preferred_username: 'bob@corp.example', email: 'bob@corp.example', email_verified: true, groups: [] },
  dave: { preferred_username: 'dave@corp.example', groups: ['Everybody'] },
};

const key = () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' };
};

const server = createServer((request, response) => handle(request, response));
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const issuer = `http://127.0.0.1:${server.address().port}`;

let current;
// A logout token that is sent again and again.
let kept;
const make = () => new Provider(issuer, {
  jwks: { keys: [current = key()] },
  clients: [{
    client_id: 'daypass',
    client_secret: 'of the client',
    application_type: 'native',
    redirect_uris: ['http://127.0.0.1/callback', `${process.env.PAGES_URL}/signin/oidc/callback`],
    grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'],
    backchannel_logout_uri: `${process.env.DAYPASS_URL}/signin/oidc/logout`,
    backchannel_logout_session_required: true,
  }, {
    // Where the pages and the command line are clients of their own: a confidential one, and a native one without a secret.
    client_id: 'daypass-pages',
    client_secret: 'of the client',
    redirect_uris: [`${process.env.PAGES_URL}/signin/oidc/callback`],
  }, {
    client_id: 'daypass-cli',
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    redirect_uris: ['http://127.0.0.1/callback'],
  }],
  claims: { openid: ['sub', 'amr'], profile: ['preferred_username', 'groups'] },
  cookies: { keys: ['for tests'] },
  features: {
    devInteractions: { enabled: false },
    deviceFlow: { enabled: true },
    backchannelLogout: { enabled: true },
  },
  fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined }),
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, ...people[sub] }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  // Nobody is asked twice whether Daypass may know who they are.
  loadExistingGrant: async (ctx) => {
    const { client, session, provider, params } = ctx.oidc;
    const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope(params.scope);
    await grant.save();
    return grant;
  },
  pkce: { required: () => true },
});

// What the provider calls its sessions: the last one of each person, as their ID token said it.
const sids = new Map();

let provider = listened(make());

function listened(made) {
  made.on('grant.success', (ctx) => sids.set(ctx.oidc.account.accountId, ctx.oidc.entities.AuthorizationCode?.sid));
  return made;
}

const body = async (request) => {
  let text = '';
  for await (const chunk of request) text += chunk;
  return new URLSearchParams(text);
};

const handle = async (request, response) => {
  const url = new URL(request.url, issuer);
  if (url.pathname === '/test/rotate') {
    provider = listened(make());
    return response.end();
  }
  if (url.pathname === '/test/job') {
    if (request.headers.authorization !== 'Bearer of the job') {
      response.statusCode = 401;
      return response.end('{}');
    }
    const claims = { repository: url.searchParams.get('repository'), ref: 'refs/heads/main' };
    const token = new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: current.kid, typ: 'JWT' })
      .setIssuer(issuer).setAudience(url.searchParams.get('audience')).setSubject(`repo:${claims.repository}`)
      .setIssuedAt().setExpirationTime('5m').setJti(randomUUID());
    response.setHeader('content-type', 'application/json');
    return response.end(JSON.stringify({ value: await token.sign(await importJWK(current, 'RS256')) }));
  }
  if (url.pathname === '/test/sid') return response.end(sids.get(url.searchParams.get('sub')));
  if (url.pathname === '/test/logout') {
    const client = await provider.Client.find('daypass');
    const sub = url.searchParams.get('sub');
    try {
      await client.backchannelLogout(sub, url.searchParams.get('sid') ?? sub);
      return response.end('told');
    } catch (error) {
      response.statusCode = 500;
      return response.end(`${error} ${error.error_description} ${error.cause ?? ''}`);
    }
  }
  if (url.pathname === '/test/replay') {
    const claims = { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } };
    const token = new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: current.kid, typ: 'logout+jwt' })
      .setIssuer(issuer).setAudience(url.searchParams.get('client') ?? 'daypass').setSubject(url.searchParams.get('sub'))
      .setIssuedAt().setExpirationTime('2m').setJti(randomUUID());
    kept ??= await token.sign(await importJWK(current, 'RS256'));
    const sent = new URLSearchParams({ logout_token: kept });
    const answer = await fetch(`${process.env.DAYPASS_URL}/signin/oidc/logout`, { method: 'POST', body: sent });
    return response.end(String(answer.status));
  }
  if (url.pathname.startsWith('/interaction/')) {
    if (request.method === 'GET') {
      response.setHeader('content-type', 'text/html');
      return response.end(`<form method="post" action="${url.pathname}"><input name="login"></form>`);
    }
    const { prompt, session, params } = await provider.interactionDetails(request, response);
    // A native application's people are asked each time (RFC 8252, 8.6).
    if (prompt.name === 'consent') {
      const grant = new provider.Grant({ clientId: params.client_id, accountId: session.accountId });
      grant.addOIDCScope(params.scope);
      const consent = { consent: { grantId: await grant.save() } };
      return provider.interactionFinished(request, response, consent, { mergeWithLastSubmission: true });
    }
    const accountId = (await body(request)).get('login');
    const result = { login: { accountId, amr: accountId === 'carol' ? ['pwd', 'otp'] : ['pwd'] } };
    return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  }
  return provider.callback()(request, response);
};

console.log(issuer);
