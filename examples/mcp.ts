// The same tools over the Model Context Protocol, as an assistant would start them: assay mcp.
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'

const client = new Client({ name: 'example', version: '1.0.0' })
const env = { ...process.env } as Record<string, string>
await client.connect(new StdioClientTransport({ command: 'assay', args: ['mcp'], env, stderr: 'ignore' }))
console.log((await client.listTools()).tools.map(({ name }) => name))
const question = { name: 'assay_infer', arguments: { prompt: 'What is the capital of France?' } }
console.log((await client.callTool(question)).content)
await client.close()
