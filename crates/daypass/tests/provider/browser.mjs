#!/usr/bin/env node
// A browser without a window: goes to an address, follows redirects, keeps cookies, fills forms in, and stops where there is
// nothing left to fill in, or before it would go to STOP. LOGIN is who sits before it.
let url = process.argv[2];
let request = { method: 'GET' };
const jars = new Map();

for (let step = 0; step < 30; step += 1) {
  if (process.env.STOP && url.startsWith(process.env.STOP)) {
    console.log(url);
    process.exit(0);
  }
  const { origin } = new URL(url);
  const jar = jars.get(origin) ?? jars.set(origin, new Map()).get(origin);
  const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
  const headers = { ...request.headers, ...(cookie && { cookie }) };
  const response = await fetch(url, { ...request, headers, redirect: 'manual' });
  for (const line of response.headers.getSetCookie()) {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
    if (value) jar.set(name, value); else jar.delete(name);
  }
  const to = response.headers.get('location');
  if (to) {
    url = new URL(to, url).href;
    request = { method: 'GET' };
    continue;
  }
  const page = await response.text();
  const form = /<form[^>]*>[\s\S]*?<\/form>/.exec(page)?.[0];
  if (!form) {
    console.log(response.status, url, page.replace(/<style[\s\S]*?<\/style>/g, '').slice(0, 900));
    process.exit(response.ok ? 0 : 1);
  }
  const attribute = (tag, name) => new RegExp(`${name}="([^"]*)"`).exec(tag)?.[1];
  const filled = new URLSearchParams();
  for (const [input] of form.matchAll(/<input[^>]*>/g)) {
    const name = attribute(input, 'name');
    if (name) filled.set(name, name === 'login' ? process.env.LOGIN : attribute(input, 'value') ?? '');
  }
  url = new URL(attribute(form, 'action') ?? url, url).href;
  request = { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: filled };
}
console.log('it goes round and round');
process.exit(1);
