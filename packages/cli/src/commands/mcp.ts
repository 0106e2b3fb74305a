import { formatOpg } from '@assay/protocol'
import { type AgentTool, agentTools, createAssay, sharedSpendingLimit } from '@assay/sdk'
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import type { Command } from 'commander'
import { opgOption } from '../amount.ts'
import { failureOf } from '../cliError.ts'
import { assayHome, makeHome, networkFor } from '../home.ts'
import { toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'
import { payingWith } from '../wallet.ts'

type McpOptions = { maxPerCall: bigint; maxPerDay: bigint; key?: string; network?: string }

export function registerMcp(program: Command, context: CommandContext): void {
  program
    .command('mcp')
    .description(
      'A server of the Model Context Protocol on standard input and output: infer, verify, models, stake.',
    )
    .addOption(opgOption('--max-per-call <OPG>', 'most that one call may cost', '1'))
    .addOption(
      opgOption(
        '--max-per-day <OPG>',
        'most that it and all others from this folder may spend in 24 hours',
        '5',
      ),
    )
    .option('--key <key>', 'pay under a grant with its API key, or ASSAY_API_KEY; its limits hold')
    .option('--network <file>', 'network.json of another network')
    .action((options: McpOptions) => mcp(options, context))
}

/** Standard output belongs to the protocol: whatever is said to a person goes to standard error. */
async function mcp(options: McpOptions, { output }: CommandContext): Promise<void> {
  const network = networkFor(options.network)
  const home = assayHome()
  makeHome(home)
  const { maxPerCall, maxPerDay } = options
  // Assistants start a server for each of their windows, and anew each time: they share one limit.
  const spending = sharedSpendingLimit({ maxPerDay, folder: home.mcpSpending })
  const assay = createAssay({ network, ...payingWith(options, network), maxPerCall, spending })
  const underWay = new Set<Promise<unknown>>()
  const server = serverOf(agentTools(assay), underWay)
  const ended = Promise.withResolvers<void>()
  server.onclose = () => ended.resolve()
  process.stdin.once('end', () => void closeBehind(underWay, server))
  await server.connect(new StdioServerTransport())
  output.err(`assay mcp: ready, spends at most ${formatOpg(maxPerDay)} in 24 hours\n`)
  await ended.promise
}

/** Closes once all calls are answered: one may be paid for, and whoever asked for it may have nothing more to ask. */
async function closeBehind(underWay: ReadonlySet<Promise<unknown>>, server: Server): Promise<void> {
  while (underWay.size > 0) await Promise.allSettled(underWay)
  // The last answer is written in the turn in which it came.
  setImmediate(() => void server.close())
}

function serverOf(tools: readonly AgentTool[], underWay: Set<Promise<unknown>>): Server {
  const server = new Server({ name: 'assay', version: '0.1.0' }, { capabilities: { tools: {} } })
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: tools.map(({ name, description, inputSchema, pays }) => ({
      name,
      description,
      inputSchema,
      annotations: { readOnlyHint: !pays, destructiveHint: false, openWorldHint: true },
    })),
  }))
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, { signal }) => {
    const tool = tools.find(({ name }) => name === params.name)
    if (tool === undefined) return failed(`There is no tool ${params.name.slice(0, 64)}.`)
    // Aborted by notifications/cancelled, behind which no answer is sent.
    const run = tool.run(params.arguments ?? {}, { signal })
    underWay.add(run)
    try {
      return { content: [{ type: 'text', text: toJsonText(await run) }] }
    } catch (error) {
      const { message, facts, next } = failureOf(error)
      return failed(toJsonText({ error: message, facts, next }))
    } finally {
      underWay.delete(run)
    }
  })
  return server
}

function failed(text: string) {
  return { isError: true, content: [{ type: 'text' as const, text }] }
}
