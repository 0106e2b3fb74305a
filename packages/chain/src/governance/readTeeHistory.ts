import { type Network, opgGovernorAbi, RECORD_KIND, teeRegistryAbi } from '@assay/protocol'
import {
  type Address,
  type Hex,
  type ParseEventLogsReturnType,
  type PublicClient,
  parseEventLogs,
  zeroHash,
} from 'viem'
import { inRanges, oldestAskedBlock } from '../eventRanges.ts'
import { proposalIds } from './proposals.ts'

/** One thing that happened to a record. */
export type TeeEvent = {
  what: 'announced' | 'approved' | 'revoked' | 'suspended' | 'lifted' | 'set'
  /** What a rule was set to, which engine classes a measurement may claim (bits), or until when it is suspended. */
  value?: bigint
  /** Unix seconds. */
  time: bigint
  block: bigint
  transactionHash: Hex
  /** Number of the proposal that did it; null for the deployment itself, an announcement, and the guardian. */
  proposal: number | null
}

/** A hardware type, root, measurement or rule, with all that happened to it, oldest first. */
export type TeeRecord = {
  kind: 'hardware' | 'root' | 'measurement' | 'rule'
  /** Root hash, measurement, or name of the rule; zero for the hardware type itself. */
  id: string
  /** Unix seconds, 0 where it never was; of a rule, when its present value began, and 0. */
  validFrom: bigint
  revokedAt: bigint
  events: TeeEvent[]
}

type Log = ParseEventLogsReturnType<typeof teeRegistryAbi, undefined, true>[number]
type Found = Pick<TeeEvent, 'what' | 'value'> & Pick<TeeRecord, 'kind' | 'id'> & { log: Log }

const SUSPENDABLE = Object.fromEntries(Object.entries(RECORD_KIND).map(([name, kind]) => [kind, name]))

/** What a log says of this hardware type; undefined where it is about something else. */
function readLog(log: Log, hardwareType: Hex): Found | undefined {
  const { args } = log
  if (!('hardwareType' in args) || args.hardwareType !== hardwareType) return undefined
  const of = (
    kind: TeeRecord['kind'],
    id: string,
    what: TeeEvent['what'],
    value?: bigint | undefined,
  ): Found => ({ kind, id, what, log, ...(value === undefined ? {} : { value }) })
  switch (log.eventName) {
    case 'HardwareApproved':
      return of('hardware', zeroHash, 'approved')
    case 'HardwareRevoked':
      return of('hardware', zeroHash, 'revoked')
    case 'HardwareProposed':
      return of('root', log.args.rootHash, 'announced')
    case 'RootApproved':
      return of('root', log.args.rootHash, 'approved')
    case 'RootRevoked':
      return of('root', log.args.rootHash, 'revoked')
    case 'MeasurementApproved':
      return of('measurement', log.args.measurement, 'approved', BigInt(log.args.engineClasses))
    case 'MeasurementRevoked':
      return of('measurement', log.args.measurement, 'revoked')
    case 'RuleSet':
      return of('rule', log.args.rule, 'set', log.args.value)
    case 'Suspended':
    case 'SuspensionLifted': {
      const kind = SUSPENDABLE[log.args.kind]
      if (kind !== 'hardware' && kind !== 'root' && kind !== 'measurement') return undefined
      return log.eventName === 'Suspended'
        ? of(kind, log.args.id, 'suspended', log.args.until)
        : of(kind, log.args.id, 'lifted')
    }
    default:
      return undefined
  }
}

/** Which proposal each of these transactions executed. */
async function executedIn(
  client: PublicClient,
  network: Pick<Network, 'contracts'>,
  logs: readonly Log[],
): Promise<ReadonlyMap<Hex, number>> {
  const governor = { address: network.contracts.OpgGovernor, abi: opgGovernorAbi } as const
  const ids = await proposalIds(client, network)
  const blocks = [...new Set(logs.map(({ blockNumber }) => blockNumber))]
  const executed = await Promise.all(
    blocks.map((block) =>
      client.getContractEvents({
        ...governor,
        eventName: 'ProposalExecuted',
        fromBlock: block,
        toBlock: block,
        strict: true,
      }),
    ),
  )
  return new Map(executed.flat().map((log) => [log.transactionHash, ids.indexOf(log.args.proposalId) + 1]))
}

/**
 * Everything that governance, deployment and guardian ever did about one hardware type, from the registry's events.
 * @param since first block whose events are read; as far back as providers are asked by default
 */
export async function readTeeHistory(
  client: PublicClient,
  network: Pick<Network, 'contracts'>,
  hardwareType: Hex,
  since?: bigint | undefined,
): Promise<{ since: bigint; records: TeeRecord[] }> {
  const registry = { address: network.contracts.TeeRegistry, abi: teeRegistryAbi } as const
  const from = since ?? (await oldestAskedBlock(client))
  const raw = await inRanges(client, from, (range) => client.getLogs({ address: registry.address, ...range }))
  const logs = parseEventLogs({ abi: teeRegistryAbi, logs: raw, strict: true })
  const found = logs.flatMap((log) => readLog(log, hardwareType) ?? [])
  const times = new Map<bigint, bigint>()
  for (const { log } of found) {
    if (times.has(log.blockNumber)) continue
    times.set(log.blockNumber, (await client.getBlock({ blockNumber: log.blockNumber })).timestamp)
  }
  const executed = await executedIn(
    client,
    network,
    found.map(({ log }) => log),
  )
  const records = new Map<string, TeeRecord>()
  for (const { kind, id, what, value, log } of found) {
    const name = `${kind} ${id}`
    const record = records.get(name) ?? { kind, id, validFrom: 0n, revokedAt: 0n, events: [] }
    const time = times.get(log.blockNumber) ?? 0n
    record.events.push({
      what,
      ...(value === undefined ? {} : { value }),
      time,
      block: log.blockNumber,
      transactionHash: log.transactionHash,
      proposal: executed.get(log.transactionHash) ?? null,
    })
    if (what === 'set') record.validFrom = time
    records.set(name, record)
  }
  const dated = [...records.values()].map((record) => withLife(client, registry, hardwareType, record))
  return { since: from, records: await Promise.all(dated) }
}

/** The registry itself says when a record began and ended: one that is revoked while suspended ended at its suspension. */
async function withLife(
  client: PublicClient,
  registry: { address: Address; abi: typeof teeRegistryAbi },
  hardwareType: Hex,
  record: TeeRecord,
): Promise<TeeRecord> {
  const id = record.id as Hex
  const read = async (): Promise<readonly [bigint, bigint, ...unknown[]]> => {
    if (record.kind === 'hardware') {
      return client.readContract({ ...registry, functionName: 'hardware', args: [hardwareType] })
    }
    const functionName = record.kind === 'root' ? 'root' : 'measurement'
    return client.readContract({ ...registry, functionName, args: [hardwareType, id] })
  }
  if (record.kind === 'rule') return record
  const [validFrom, revokedAt] = await read()
  return { ...record, validFrom, revokedAt }
}
