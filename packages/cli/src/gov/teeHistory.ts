import { publicClientOf, readTeeHistory, type TeeEvent, type TeeRecord } from '@assay/chain'
import { tag } from '@assay/protocol'
import { rulesFor } from '@assay/verify'
import { CliError, EXIT } from '../cliError.ts'
import { networkFor } from '../home.ts'
import { printable, toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'

const utc = (seconds: bigint): string => new Date(Number(seconds) * 1000).toISOString().replace('.000Z', 'Z')

/** Shows what became of every hardware type, root, measurement and rule of a hardware, when, and by which proposal. */
export async function teeHistory(
  context: CommandContext,
  hardware: string,
  options: { network?: string; json?: true; since?: string },
): Promise<void> {
  const { since } = options
  if (rulesFor(hardware).length === 0 || (since !== undefined && !/^[0-9]{1,15}$/.test(since))) {
    throw new CliError('There is no history of this.', {
      exitCode: EXIT.usage,
      code: 'usage',
      facts: {
        hardware: hardware.slice(0, 40),
        ...(since === undefined ? {} : { since: since.slice(0, 40) }),
      },
      next: 'Such as: assay gov rules snp --history --since 1200000',
    })
  }
  const network = networkFor(options.network)
  const client = publicClientOf(network)
  const first = since === undefined ? undefined : BigInt(since)
  const history = await readTeeHistory(client, network, tag(hardware), first)
  if (options.json === true) {
    context.output.out(toJsonText({ hardware, ...history }))
    return
  }
  const { records } = history
  const from = history.since === 0n ? '' : ` since block ${history.since}`
  if (records.length === 0) context.output.out(`Nothing was ever decided about ${hardware}${from}.\n`)
  // A rule's name was chosen by whoever proposed it.
  context.output.out(printable(records.map((record) => recordText(hardware, record)).join('\n')))
  if (from !== '') context.output.out(`\nEarlier events than${from.slice(6)} were not asked for.\n`)
}

function recordText(hardware: string, { kind, id, validFrom, revokedAt, events }: TeeRecord): string {
  const name = kind === 'hardware' ? hardware : id
  const life =
    kind === 'rule'
      ? ''
      : validFrom === 0n
        ? ', never valid'
        : `, valid from ${utc(validFrom)} ${revokedAt === 0n ? 'on' : `until ${utc(revokedAt)}`}`
  return [`${kind} ${name}${life}`, ...events.map(eventText), ''].join('\n')
}

function eventText({ what, value, time, block, proposal }: TeeEvent): string {
  const to = value === undefined ? '' : what === 'suspended' ? ` until ${utc(value)}` : ` (${value})`
  return `  ${utc(time)}  block ${block}  ${what}${to}, ${byWhom(what, proposal)}`
}

function byWhom(what: TeeEvent['what'], proposal: number | null): string {
  if (proposal !== null) return `proposal ${proposal}`
  if (what === 'suspended') return 'by the guardian'
  return what === 'announced' ? 'by anybody' : 'at deployment'
}
