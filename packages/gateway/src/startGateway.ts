import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { AssayError, deploymentOf, type Network, signDigest } from '@assay/protocol'
import {
  type Database,
  groupWriter,
  openAmounts,
  openAnswerNames,
  openStore,
  pruneAnswers,
  type RequestWriter,
} from '@assay/store'
import type { Address, Hex } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { type Batcher, startBatcher } from './batcher/batcher.ts'
import type { GatewayChain } from './chain/gatewayChain.ts'
import { connectChain } from './chain/onChain.ts'
import { openOwnTill } from './chain/ownTill.ts'
import type { Context } from './context.ts'
import { joinFleet } from './fleet/membership.ts'
import { createFreshCache } from './freshCache.ts'
import { grantRoutes } from './grants/grantRoutes.ts'
import { createKeys } from './grants/keys.ts'
import { createPlaces } from './grants/places.ts'
import { createServer } from './http/createServer.ts'
import { createRefusalLog } from './http/refusalLog.ts'
import { createNames } from './idempotency/names.ts'
import { type BatchLimits, DEFAULT_BATCH_LIMITS, DEFAULT_LIMITS, type Limits } from './limits.ts'
import { type Log, logToStdout, messageOf } from './log.ts'
import { createMetrics } from './metrics.ts'
import { discoverNodes, type NodeSource } from './nodes/discoverNodes.ts'
import { createNodePool } from './nodes/nodePool.ts'
import { createStanding } from './nodes/standing.ts'
import { openGradientRoutes } from './opengradient/openGradientRoutes.ts'
import { createStatements } from './opengradient/statements.ts'
import { openTlsDoor, type TlsDoor, type TlsDoorOptions } from './opengradient/tlsDoor.ts'
import { createAllowance } from './payment/allowance.ts'
import { bazaarRoutes } from './payment/bazaar.ts'
import { createClaims } from './payment/claims.ts'
import { facilitatorRoutes } from './payment/facilitatorRoutes.ts'
import { createFreshNonces } from './payment/freshNonces.ts'
import { createFundsCache } from './payment/fundsCache.ts'
import { createHeadStart } from './payment/headStart.ts'
import { createLedger } from './payment/ledger.ts'
import { createOpenings } from './payment/openings.ts'
import { receiptRoutes } from './receipts/receiptRoutes.ts'
import { createEndings } from './relay/endings.ts'
import { inferenceRoutes } from './relay/inferenceRoutes.ts'
import { createKeyCheck } from './relay/keyCheck.ts'
import { createRecorder } from './relay/recorder.ts'
import { startRecovery } from './relay/recover.ts'
import { stopRoute } from './relay/stopRoute.ts'
import { infoRoutes } from './routes/infoRoutes.ts'
import { nodeRoutes } from './routes/nodeRoutes.ts'
import { quoteRoutes } from './routes/quoteRoutes.ts'

export type GatewayOptions = {
  network: Network
  /** Gateway operator's key; it opens the till, commits batches and pays their gas. */
  privateKey: Hex
  /** Folder of the embedded database. */
  dataDir: string
  /** 0 for any free one. */
  port: number
  /** PostgreSQL instead of the embedded database. */
  databaseUrl?: string | undefined
  /** Where its inference nodes come from; those of the network file by default. */
  nodes?: NodeSource | undefined
  batch?: Partial<BatchLimits> | undefined
  limits?: Partial<Limits> | undefined
  log?: Log | undefined
  /** An open database, for embedding the gateway; it is closed with the gateway. */
  database?: Database | undefined
  /** Another way to the chain than `network.rpcUrl`. */
  chain?: GatewayChain | undefined
  /** A second door, under TLS. */
  tls?: TlsDoorOptions | undefined
}

export type Gateway = {
  url: string
  /** Gateway operator. */
  committer: Address
  till: Address
  batcher: Batcher
  /** Stops taking requests, lets those under way end, hands its duties on, and closes the database. */
  close(): Promise<void>
}

/** How often a gateway that closes looks whether the answers under way have ended, milliseconds. */
const DRAIN_LOOK_MS = 10
/** Then connections that are still open are cut, milliseconds. */
const CUT_AFTER_MS = 1000
/** How often answers that were kept long enough are erased, milliseconds. */
const PRUNE_EVERY_MS = 30_000

/**
 * Starts a gateway on 127.0.0.1; it is ready when the promise resolves.
 * @throws AssayError `conflict` where another process holds the data directory; whatever the chain says if it is away.
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { network } = options
  const log = options.log ?? logToStdout
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const committer = privateKeyToAddress(options.privateKey).toLowerCase() as Address
  const chain = options.chain ?? connectChain(network, options.privateKey)
  const { database, writer, lagging } =
    options.database === undefined
      ? await openStore({ directory: join(options.dataDir, 'db'), databaseUrl: options.databaseUrl })
      : {
          database: options.database,
          writer: groupWriter(options.database),
          lagging: options.database,
        }
  try {
    const till = await openOwnTill(chain, network.gatewayUrl)
    return await assemble(options, { log, limits, committer, chain, database, writer, lagging, till })
  } catch (error) {
    await database.close()
    throw error
  }
}

async function assemble(
  options: GatewayOptions,
  made: {
    log: Log
    limits: Limits
    committer: Address
    chain: GatewayChain
    database: Database
    writer: RequestWriter
    lagging: Database
    till: Address
  },
): Promise<Gateway> {
  const { network } = options
  const { log, limits, committer, chain, database, writer, lagging, till } = made
  const instance = randomUUID()
  const metrics = createMetrics()
  const source = options.nodes ?? 'network'
  const nodes = await createNodePool(() => discoverNodes(source, { network, chain, log }), limits, log)
  const standing = await createStanding(chain, {
    committer,
    nodes: () => nodes.nodes,
    everyMs: limits.standingMs,
    log,
  })
  const ledger = createLedger()
  const allowance = createAllowance(limits)
  const openings = createOpenings()
  const membership = await joinFleet({ database, instance, ledger, log })
  // Beside others every process knows its own part only, and asks the database for the rest (payment/covered.ts).
  const open = database.engine === 'pglite' ? await openAmounts(database) : []
  for (const { requestId, payer, amount } of open) ledger.set(requestId, payer, amount)
  const inFlight = new Set<Hex>()
  const endings = createEndings({ writer, ledger, log })
  const names = createNames({ kept: openAnswerNames({ database, lagging }), endings, log })
  const headStart = createHeadStart(database)
  const base: Omit<Context, 'recover'> = {
    network,
    deployment: deploymentOf(network),
    committer,
    till,
    instance,
    database,
    chain,
    nodes,
    ledger,
    allowance,
    openings,
    funds: createFundsCache(chain),
    freshNonces: createFreshNonces(chain),
    limits,
    metrics,
    log,
    models: new Map(network.models.map((model) => [model.name, model])),
    priceOf: createFreshCache((modelId) => chain.price(modelId)),
    standing,
    keyCounts: createKeyCheck(chain),
    grantAccountOf: createFreshCache((grantId) => chain.grantAccount(grantId)),
    names,
    keys: createKeys(lagging),
    places: createPlaces({ headStart, writer, instance }),
    sign: (digest) => signDigest(digest, options.privateKey),
    claims: createClaims({ headStart, writer, endings, instance }),
    record: createRecorder({ writer, allowance, openings, ledger, limits }),
    end: (requestId, state) => {
      allowance.settle(requestId, 0n)
      return endings.end(requestId, state)
    },
    inFlight,
    draining: false,
    statements: network.profile === undefined ? undefined : createStatements(database),
    servedBy: new Map(),
  }
  const recovery = startRecovery(base, endings)
  const context: Context = { ...base, recover: recovery.recover }
  const server = createServer(limits, createRefusalLog({ log, metrics }))
  inferenceRoutes(server, context)
  stopRoute(server, context)
  grantRoutes(server, context)
  receiptRoutes(server, context)
  infoRoutes(server, context)
  nodeRoutes(server, context)
  facilitatorRoutes(server, context)
  if (network.profile !== undefined) openGradientRoutes(server, context)
  bazaarRoutes(server, context)
  quoteRoutes(server, context)
  const pruning = setInterval(() => {
    pruneAnswers(database, limits.keepAnswersBytes).catch((error) =>
      log('prune_failed', { why: messageOf(error) }),
    )
  }, PRUNE_EVERY_MS)
  pruning.unref()
  // What it does not see yet it sees at its next tick; caught up to at each of its reads, answers would pay for its haste.
  const batcher = startBatcher(
    { ...context, database: lagging },
    { ...DEFAULT_BATCH_LIMITS, ...options.batch },
  )

  async function closeParts(): Promise<void> {
    await recovery.close()
    await batcher.close()
    standing.close()
    await membership.leave()
    clearInterval(pruning)
    await nodes.close()
  }
  /** Waits until no answer is under way, so long at the most. */
  async function ended(patienceMs: number): Promise<void> {
    const deadline = performance.now() + patienceMs
    while (inFlight.size > 0 && performance.now() < deadline) await delay(DRAIN_LOOK_MS)
  }
  let door: TlsDoor | undefined
  async function close(): Promise<void> {
    // Whatever balances the load sees it at /health and sends the next requests elsewhere; those under way end first.
    context.draining = true
    log('draining', { running: inFlight.size })
    await ended(context.limits.drainMs)
    await door?.close()
    const closing = server.close()
    const patience = setTimeout(() => server.server.closeAllConnections(), CUT_AFTER_MS)
    await closing
    clearTimeout(patience)
    // What was cut off is looked for from the moment that its exchange has noticed.
    await ended(CUT_AFTER_MS)
    await closeParts()
    await database.close()
    log('stopped')
  }
  try {
    const url = await server.listen({ host: '127.0.0.1', port: options.port })
    if (options.tls !== undefined) door = await openTlsDoor(server, options.tls)
    log('listening', { url, committer, till, database: database.engine })
    return { url, committer, till, batcher, close }
  } catch (cause) {
    await closeParts()
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause
    throw new AssayError(`Port ${options.port} is taken.`, {
      code: 'conflict',
      facts: { port: options.port },
      next: 'stop what listens there, or set ASSAY_PORT to another port',
      cause,
    })
  }
}
