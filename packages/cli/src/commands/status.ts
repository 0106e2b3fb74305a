import type { Command } from 'commander'
import { EXIT } from '../cliError.ts'
import { networkFor } from '../home.ts'
import { networkStatus } from '../networkStatus.ts'
import { table, toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'

export function registerStatus(program: Command, context: CommandContext): void {
  program
    .command('status')
    .description('Which servers of the network answer.')
    .option('--network <file>', 'network.json of another network')
    .option('--json', 'print JSON')
    .action(async (options: { network?: string; json?: true }) => {
      const network = networkFor(options.network)
      const servers = await networkStatus(network)
      const ready = servers.every((server) => server.ok)
      const models = network.models.map(({ name }) => name)
      if (options.json === true) context.output.out(toJsonText({ ready, servers, models }))
      else {
        const rows = servers.map(
          ({ name, url, ok, detail }) => [`${ok ? '✓' : '✗'} ${name}`, `${url}  ${detail}`] as const,
        )
        context.output.out(table([...rows, ['  models', models.join(', ')]]))
        if (!ready) context.output.err('Next: npm start   (or look at: assay doctor)\n')
      }
      context.exit(ready ? EXIT.ok : EXIT.unreachable)
    })
}
