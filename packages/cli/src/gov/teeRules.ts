import { publicClientOf, readTeeRules } from '@assay/chain'
import { tag } from '@assay/protocol'
import { RULE_KINDS, readRule, rulesFor } from '@assay/verify'
import { CliError, EXIT } from '../cliError.ts'
import { networkFor } from '../home.ts'
import { table, toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'

/** Shows what can be ruled on evidence of a hardware, and what the chain says now of the rules that name no machine. */
export async function teeRules(
  context: CommandContext,
  hardware: string,
  given: string[],
  options: { network?: string; json?: true },
): Promise<void> {
  const known = rulesFor(hardware)
  const wrong = given.find((name) => readRule(name) === undefined)
  if (known.length === 0 || wrong !== undefined) {
    throw new CliError(
      wrong === undefined ? 'There are no rules for this hardware.' : 'There is no such rule.',
      {
        exitCode: EXIT.usage,
        code: 'usage',
        facts: {
          hardware: hardware.slice(0, 40),
          ...(wrong === undefined ? {} : { rule: wrong.slice(0, 80) }),
        },
        next: 'Such as: assay gov rules snp minimum-tcb/Genoa',
      },
    )
  }
  const network = networkFor(options.network)
  const client = publicClientOf(network)
  const { timestamp: at } = await client.getBlock()
  const names = given.length > 0 ? given : known.map(({ name }) => name).filter((name) => readRule(name))
  const values = await readTeeRules(client, network, { hardwareType: tag(hardware), names, at })
  if (options.json === true) {
    context.output.out(toJsonText({ hardware, at, rules: Object.fromEntries(values), known }))
    return
  }
  const value = (name: string) => {
    const found = values.get(name)
    return found === undefined ? '' : found === 0n ? 'not set: ' : `${found} (0x${found.toString(16)}): `
  }
  const rows = given.length > 0 ? names.map((name) => ({ name, means: meaningOf(name) })) : known
  context.output.out(table(rows.map(({ name, means }) => [name, `${value(name)}${means}`] as const)))
}

function meaningOf(name: string): string {
  const rule = readRule(name)
  return rule === undefined ? '' : RULE_KINDS[rule.kind].means
}
