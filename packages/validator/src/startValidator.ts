import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createSender, fetchBounded, isLocal, pollLoop, publicClientOf, readChainView } from '@assay/chain'
import { AssayError, deploymentOf, type Network } from '@assay/protocol'
import type { Hex } from 'viem'
import { dutyRoster } from './dutyRoster.ts'
import { eventScanner } from './eventScanner.ts'
import { attendFault } from './faults/attendFault.ts'
import { openBatchMemory } from './faults/batchMemory.ts'
import { canaryCalls, canaryChain } from './faults/canaryChain.ts'
import { faultCalls, faultChain } from './faults/faultChain.ts'
import type { FaultContext } from './faults/faultContext.ts'
import { watchVoice } from './faults/watchVoices.ts'
import { learnFromChain } from './learnFromChain.ts'
import { ContradictionError, openSigningRecord } from './signingRecord.ts'
import { type ValidatorChain, validatorCalls, validatorChain } from './validatorChain.ts'
import {
  attendBatch,
  attendProposal,
  attendRewards,
  type DutyContext,
  LIABILITY_SECONDS,
} from './validatorDuties.ts'
import { voicesOf } from './voices.ts'

const POLL_MS = 500
const FETCH_TIMEOUT_MS = 10_000
/** A peer that takes longer to say what it holds in memory is not waited for. */
const VOICE_TIMEOUT_MS = 1_000
/** Seconds between the turns of two validators at what anybody could do. */
const TURN_SECONDS = 2n

export type StartValidatorOptions = {
  network: Network
  /** Key of a registered validator; signs attestations and pays for their transactions. */
  privateKey: Hex
  /** The validator's own directory, for its signing record. */
  dataDir: string
  /** 0 = any free port. */
  port: number
  /** First block that can hold an event of this deployment; 0 by default. */
  fromBlock?: bigint | undefined
  log?: ((event: string, facts: Record<string, unknown>) => void) | undefined
}

export type Validator = { url: string; operator: string; close: () => Promise<void> }

function jsonLog(event: string, facts: Record<string, unknown>): void {
  const plain = (_: string, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)
  console.log(JSON.stringify({ at: new Date().toISOString(), validator: event, ...facts }, plain))
}

/**
 * Runs a validator until it is closed: watches batches and key proposals, checks them, records its verdict, signs it and
 * sends it. Resolves when `/health` is served.
 * @throws AssayError `config` when the signing record or the port cannot be had
 */
export async function startValidator(options: StartValidatorOptions): Promise<Validator> {
  const { network, privateKey } = options
  const log = options.log ?? jsonLog
  const deployment = deploymentOf(network)
  const client = publicClientOf(network)
  const chain: ValidatorChain = validatorChain(client, network)
  const sender = createSender({ network, privateKey })
  const record = openSigningRecord(options.dataDir)
  const jobs = record.faultJobs(deployment.deploymentId)
  const memory = openBatchMemory(options.dataDir, deployment.deploymentId)
  const place = network.validators.findIndex(
    ({ operator }) => operator.toLowerCase() === sender.address.toLowerCase(),
  )
  const devnet = isLocal(network)
  const fromBlock = options.fromBlock ?? 0n
  const stopping = new AbortController()
  const status = { lastRoundAt: 0, safeBlock: 0n, problem: 'starting' }

  const voices = voicesOf({
    operator: sender.address,
    validators: network.validators,
    fetch: (url, maxBytes) =>
      fetchBounded(url, { maxBytes, timeoutMs: VOICE_TIMEOUT_MS, devnet, signal: stopping.signal }),
  })
  const context: DutyContext = {
    deployment,
    escrow: network.contracts.InferenceEscrow,
    memory,
    jobs,
    teeRegistry: network.contracts.TeeRegistry,
    operator: sender.address,
    privateKey,
    chain,
    calls: validatorCalls(network),
    record,
    send: async (call) => {
      await sender.send(call)
    },
    fetch: (url, maxBytes) =>
      fetchBounded(url, { maxBytes, timeoutMs: FETCH_TIMEOUT_MS, devnet, signal: stopping.signal }),
    readView: async (signed, blockNumber) => {
      try {
        return await readChainView(client, network, signed, { blockNumber })
      } catch (error) {
        // A node without the state of that block (a restarted devnet, a pruned RPC): records are intervals, so the
        // state of now answers for then.
        log('reading the present', { blockNumber, why: shortMessage(error) })
        return readChainView(client, network, signed, {})
      }
    },
    log,
    // The committer first, who pays its rows in the transaction that makes its batch final.
    courtesy: TURN_SECONDS * BigInt(Math.max(place, 0) + 1),
    turns: new Map(),
    voices,
  }
  const faults: FaultContext = {
    operator: sender.address,
    chain: faultChain(client, network),
    calls: faultCalls(network),
    canaries: canaryChain(client, network),
    canaryCalls: canaryCalls(network),
    jobs,
    memory,
    send: async (call) => {
      await sender.send(call)
    },
    log,
  }
  const roster = dutyRoster({
    isHopeless: (error) => error instanceof ContradictionError,
    onError: (duty, error) => log('not yet', { subject: duty.id, why: shortMessage(error) }),
  })
  const scanner = eventScanner({
    chain,
    record,
    deploymentId: deployment.deploymentId,
    fromBlock,
  })
  let blocks = {
    safe: { number: 0n, hash: '0x' as Hex, timestamp: 0n },
    latest: { number: 0n, hash: '0x' as Hex, timestamp: 0n },
  }

  let learned = false

  async function round(): Promise<void> {
    const [safe, latest, deploymentId] = await Promise.all([
      chain.safeBlock(),
      chain.latestBlock(),
      chain.deploymentId(),
    ])
    if (deploymentId.toLowerCase() !== deployment.deploymentId.toLowerCase()) {
      throw new AssayError('The chain holds another deployment than the network file.', {
        code: 'config',
        facts: { found: deploymentId, expected: deployment.deploymentId },
        next: 'Point ASSAY_NETWORK at the network file of this chain.',
      })
    }
    if (!learned) {
      // Before the first signature.
      const raised = await learnFromChain({ client, network, record, operator: sender.address, fromBlock })
      if (raised !== undefined) log('record restored', raised)
      learned = true
    }
    blocks = { safe, latest }
    const events = await scanner.scan(safe)
    for (const { batchId, committer, block } of events.batches) {
      const run = async () => (await attendBatch(batchId, blocks, context)) === 'settled'
      roster.add({ id: batchId, party: committer, block, run })
    }
    for (const proposal of events.proposals) {
      const { registrationId, registration, block } = proposal
      const run = async () => (await attendProposal(proposal, blocks, context)) === 'settled'
      roster.add({ id: registrationId, party: registration.node, block, run })
    }
    for (const { batchId, validator, block } of events.uncounted) {
      const run = async () => (await watchVoice(batchId, validator, context)) === 'settled'
      roster.add({ id: `voice ${batchId} ${validator}`, party: validator, block, run })
    }
    for (const { faultId } of jobs.open()) {
      const run = async () => (await attendFault(faultId, faults)) === 'settled'
      roster.add({ id: `fault ${faultId}`, party: faultId, block: undefined, run })
    }
    const pay = async () => (await attendRewards(blocks.latest.timestamp, context)) === 'settled'
    roster.add({ id: 'rewards', party: 'rewards', block: undefined, run: pay })
    if (latest.timestamp > LIABILITY_SECONDS) memory.forget(latest.timestamp - LIABILITY_SECONDS)
    roster.start()
    scanner.remember(roster.oldest())
    Object.assign(status, { lastRoundAt: Date.now(), safeBlock: safe.number, problem: '' })
  }

  const loop = pollLoop({
    interval: POLL_MS,
    round,
    onError: (error, failures) => {
      status.problem = shortMessage(error)
      if (failures === 1 || failures % 20 === 0) log('chain trouble', { why: status.problem, failures })
    },
  })

  const server = createServer((request, response) => {
    const voice = request.method === 'GET' ? voices.answer(request.url ?? '') : undefined
    if (voice !== undefined) {
      response.writeHead(200, { 'content-type': 'application/json' }).end(voice)
      return
    }
    if (request.method !== 'GET' || request.url !== '/health') {
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":{"code":"not_found"}}')
      return
    }
    const healthy = status.problem === ''
    const body = {
      status: healthy ? 'ok' : 'unavailable',
      ...(healthy ? {} : { problem: status.problem }),
      operator: sender.address,
      safeBlock: status.safeBlock.toString(),
      open: roster.open,
      attested: record.counts(deployment.deploymentId),
      faults: jobs.counts(),
    }
    response.writeHead(healthy ? 200 : 503, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })

  async function close(): Promise<void> {
    stopping.abort()
    server.closeAllConnections()
    await Promise.all([new Promise((resolve) => server.close(resolve)), loop.stop()])
    await roster.idle()
    memory.close()
    record.close()
  }

  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(options.port, '127.0.0.1', resolve)
    })
  } catch (cause) {
    await close()
    throw new AssayError('The validator cannot listen on its port.', {
      code: 'config',
      facts: { port: options.port },
      next: 'Free the port or set ASSAY_PORT.',
      cause,
    })
  }
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  log('listening', { url, operator: sender.address })
  return { url, operator: sender.address, close }
}

function shortMessage(error: unknown): string {
  if (error instanceof AssayError) {
    const why = error.facts.why === undefined ? '' : ` (${String(error.facts.why)})`
    return error.shortMessage + why
  }
  return error instanceof Error ? (error.message.split('\n')[0] ?? '').slice(0, 300) : String(error)
}
