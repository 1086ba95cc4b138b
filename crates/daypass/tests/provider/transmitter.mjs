// A transmitter of shared signals (SSF 1.0) with keys of its own, on a free port: what it says of itself, its keys, a stream
// that sends (RFC 8935) and one that is asked (RFC 8936), and verification. What it says, only tests tell it:
// POST /test/send pushes a token, POST /test/queue keeps one until it is asked for, GET /test/told is what it was told of them,
// POST /test/away makes it an outage, and /test/back ends that.
//
// Environment: DAYPASS_URL, the address of the server under test. NODE_EXTRA_CA_CERTS is its authority.
import { createServer } from 'node:http';
import { createHmac, generateKeyPairSync, randomUUID } from 'node:crypto';
import { SignJWT, exportJWK } from 'jose';

const BEARER = 'of the listener';
const AUDIENCE = 'https://daypass.example';
const EVENTS = 'https://schemas.openid.net/secevent/';

const pair = () => generateKeyPairSync('rsa', { modulusLength: 2048 });
const key = pair();
const other = pair();
const kid = randomUUID();

const server = createServer((request, response) => handle(request, response));
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const issuer = `http://127.0.0.1:${server.address().port}`;

const encoded = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

// What is said, with what every token says where the test doesn't: an event by its short name becomes one by its URI.
const said = ({ event, fields = {}, subject, claims = {} }) => ({
  iss: issuer, aud: AUDIENCE, iat: Math.floor(Date.now() / 1000), jti: randomUUID(), sub_id: subject,
  events: event ? { [`${EVENTS}${event}`]: fields } : undefined,
  ...claims,
});

const sign = async (order) => {
  const claims = said(order);
  const header = { alg: 'RS256', kid, typ: 'secevent+jwt', ...order.header };
  switch (order.by) {
    case undefined: return { claims, token: await new SignJWT(claims).setProtectedHeader(header).sign(key.privateKey) };
    case 'another': return { claims, token: await new SignJWT(claims).setProtectedHeader(header).sign(other.privateKey) };
    case 'nobody': return { claims, token: `${encoded({ ...header, alg: 'none' })}.${encoded(claims)}.` };
    case 'public key': {
      const text = `${encoded({ ...header, alg: 'HS256' })}.${encoded(claims)}`;
      const pem = key.publicKey.export({ type: 'spki', format: 'pem' });
      return { claims, token: `${text}.${createHmac('sha256', pem).update(text).digest('base64url')}` };
    }
    default: throw new Error(order.by);
  }
};

let away = false;
const queue = new Map();
const told = { acks: [], errs: {}, asked: 0 };
let verify = async () => {};

const body = async (request) => {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text === '' ? {} : JSON.parse(text);
};

const answer = (response, status, value) => {
  const text = value === undefined ? '' : JSON.stringify(value);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
};

const push = async (order) => {
  const token = order.raw ?? (await sign(order)).token;
  const sent = await fetch(`${process.env.DAYPASS_URL}/signals/${order.name}`, {
    method: 'POST',
    headers: {
      'content-type': order.type ?? 'application/secevent+jwt',
      accept: 'application/json',
      ...(order.bearer ? { authorization: `Bearer ${order.bearer}` } : {}),
    },
    body: token,
  });
  const text = await sent.text();
  return { status: sent.status, body: text === '' ? null : JSON.parse(text), token };
};

const handle = async (request, response) => {
  const url = new URL(request.url, issuer);
  const order = request.method === 'POST' ? await body(request) : {};
  const known = request.headers.authorization === `Bearer ${BEARER}`;
  switch (url.pathname) {
    case '/.well-known/ssf-configuration':
      return answer(response, 200, {
        spec_version: '1_0', issuer, jwks_uri: `${issuer}/keys`, verification_endpoint: `${issuer}/verify`,
        delivery_methods_supported: ['urn:ietf:rfc:8935', 'urn:ietf:rfc:8936'],
      });
    case '/keys': {
      const jwk = { ...(await exportJWK(key.publicKey)), kid, use: 'sig', alg: 'RS256' };
      return answer(response, 200, { keys: [jwk] });
    }
    case '/poll': {
      if (away) return answer(response, 503, {});
      if (!known) return answer(response, 401, {});
      told.asked += 1;
      told.acks.push(...(order.ack ?? []));
      Object.assign(told.errs, order.setErrs ?? {});
      for (const jti of [...(order.ack ?? []), ...Object.keys(order.setErrs ?? {})]) queue.delete(jti);
      const all = [...queue];
      const most = all.slice(0, order.maxEvents);
      return answer(response, 200, { sets: Object.fromEntries(most), moreAvailable: all.length > most.length });
    }
    case '/verify':
      if (!known) return answer(response, 401, {});
      answer(response, 204);
      return verify(order);
    case '/test/send': return answer(response, 200, await push(order));
    case '/test/queue': {
      const { claims, token } = await sign(order);
      queue.set(claims.jti, order.raw ?? token);
      return answer(response, 200, { jti: claims.jti });
    }
    case '/test/told': return answer(response, 200, told);
    case '/test/verifies-by': {
      // From now on it verifies: by pushing to that transmitter's address, or with what is asked for.
      verify = async ({ stream_id: id, state }) => {
        const verification = { event: 'ssf/event-type/verification', fields: { state }, subject: { format: 'opaque', id } };
        if (order.bearer) await push({ ...verification, ...order });
        else {
          const { claims, token } = await sign(verification);
          queue.set(claims.jti, token);
        }
      };
      return answer(response, 200, {});
    }
    case '/test/away': away = true; return answer(response, 200, {});
    case '/test/back': away = false; return answer(response, 200, {});
    default: return answer(response, 404, {});
  }
};

console.log(issuer);
