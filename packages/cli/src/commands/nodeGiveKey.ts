import { giveProviderKey } from '@assay/sdk'
import type { Command } from 'commander'
import { CliError, EXIT } from '../cliError.ts'
import { AS_DESCRIPTION, AS_OPTION, signingKey } from '../gov/signer.ts'
import { networkFor } from '../home.ts'
import { table, toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'
import { readUserFile } from '../userFile.ts'

type Options = { name?: string; file?: string; node?: string; as?: string; network?: string; json?: true }

/** More than any key has. */
const MAX_KEY_BYTES = 8192

/** `assay node give-key …`: the key of a provider's API, into the enclave and past its host. */
export function registerNodeGiveKey(node: Command, context: CommandContext): void {
  node
    .command('give-key')
    .description(
      "Give a node's enclave the key of a provider's API; its host never has it. Again after each start.",
    )
    .argument('<provider>', 'openai, anthropic, gemini or xai: nobody else is shown the key')
    .option('--name <name>', 'keyName of the upstream models that it is for; the provider by default')
    .option('--file <file>', 'file that holds the key; standard input by default')
    .option('--node <url>', 'where the node answers; as the network file has it by default')
    .option(AS_OPTION, AS_DESCRIPTION)
    .option('--network <file>', 'network.json of another network')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nThe wallet (ASSAY_WALLET_KEY) must be the operator’s: it signs what the enclave takes.',
    )
    .action(async (provider: string, options: Options) => {
      const network = networkFor(options.network)
      const given = await giveProviderKey({
        network,
        privateKey: signingKey(network, options.as),
        provider,
        name: options.name ?? provider,
        secret: (await readKey(options.file)).trim(),
        nodeUrl: options.node,
      })
      if (options.json === true) return context.output.out(toJsonText(given))
      const rows: [string, string][] = [
        ['key', given.name === provider ? provider : `${given.name}, of ${provider}`],
        ['operator', given.operator],
        ['enclave', `${given.enclave}${given.simulated ? ', SIMULATED: its host can read the key' : ''}`],
        ['kept', 'in memory: give it again when the node has been started anew'],
      ]
      context.output.out(table(rows))
    })
}

/** The key never stands on a command line, where every process of the machine could read it. */
async function readKey(file: string | undefined): Promise<string> {
  if (file !== undefined) return new TextDecoder().decode(readUserFile(file, MAX_KEY_BYTES, 'a key'))
  if (process.stdin.isTTY === true) {
    throw new CliError('The key is read from standard input, and that is a terminal, which would show it.', {
      exitCode: EXIT.usage,
      code: 'no_key',
      next: 'pass show anthropic | assay node give-key anthropic   (or --file)',
    })
  }
  const parts: Buffer[] = []
  let length = 0
  for await (const part of process.stdin) {
    parts.push(part as Buffer)
    length += (part as Buffer).length
    if (length > MAX_KEY_BYTES) break
  }
  return Buffer.concat(parts).toString('utf8')
}
