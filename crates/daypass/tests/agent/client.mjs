// A client of the Model Context Protocol, as agents have one: the official SDK, driven by lines of JSON.
// {"tool": "...", "arguments": {...}} calls a tool, {"do": "list"} lists them, {"do": "abort", ...} calls one and cancels it.
// Each line is answered by one: the result, or {"error": "..."}.
import { createInterface } from 'node:readline';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

const [command, ...args] = process.argv.slice(2);
const transport = new StdioClientTransport({ command, args, env: process.env, stderr: 'inherit' });
const client = new Client({ name: 'daypass-test-agent', version: '1.0.0' });
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

// Whatever the server writes that is no message of the protocol is an error here.
client.onerror = (error) => say({ broken: String(error) });
await client.connect(transport);
say({ server: client.getServerVersion(), instructions: client.getInstructions() });

const answer = async (asked) => {
  if (asked.do === 'list') return client.listTools();
  if (asked.do === 'ping') return client.ping();
  const call = { name: asked.tool, arguments: asked.arguments };
  if (asked.do === 'abort') {
    const stop = new AbortController();
    setTimeout(() => stop.abort('enough'), asked.after);
    return client.callTool(call, undefined, { signal: stop.signal });
  }
  // The SDK validates structured content against the tool's output schema.
  return client.callTool(call);
};

for await (const line of createInterface({ input: process.stdin })) {
  try {
    say(await answer(JSON.parse(line)));
  } catch (error) {
    say({ error: String(error) });
  }
}
await client.close();
