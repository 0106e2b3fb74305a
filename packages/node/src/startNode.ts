import { mkdirSync } from 'node:fs'
import { AssayError, deploymentOf, ENGINE_CLASS, MODE, modelIdOf, type Network } from '@assay/protocol'
import type { Address, PublicClient } from 'viem'
import { bondedKeyRegistryOf, keyRegistryOf, publishUrl, type Sender } from './chain/keyRegistry.ts'
import { watchChain } from './chain/watchChain.ts'
import { type BondedKey, createBondedKey } from './enclaves/bondedKey.ts'
import { chooseAttester } from './enclaves/chooseAttester.ts'
import type { Enclave } from './enclaves/enclave.ts'
import { openEvidenceStore } from './enclaves/evidenceStore.ts'
import { openEnclave } from './enclaves/openEnclave.ts'
import { startCircuitEngine } from './engines/circuit/startCircuitEngine.ts'
import { startLlamaEngine } from './engines/llama/startLlamaEngine.ts'
import type { UpstreamModel } from './engines/upstream/readUpstreams.ts'
import { SealedKey } from './engines/upstream/sealedKey.ts'
import { startUpstreamEngine } from './engines/upstream/startUpstreamEngine.ts'
import { startForcing } from './force/startForcing.ts'
import { type KeyRing, openKeyRing } from './keyRing.ts'
import { pullModel } from './models/pullModel.ts'
import { SMOLLM2_MANIFEST, SMOLLM2_MODEL_ID } from './models/smollm2.ts'
import { listTee, type TeeListing } from './opengradient/listTee.ts'
import { openGradientRoom } from './opengradient/room.ts'
import { startProving } from './proofs/startProving.ts'
import { createQueue } from './queue.ts'
import { openReceiptStore } from './receiptStore.ts'
import { keepRegistered, type Registration } from './register.ts'
import type { ServedModel } from './server/servedModel.ts'
import { startServer } from './server/startServer.ts'
import { createReceiptSigner } from './signReceipt.ts'

/** Requests that may wait for a turn at one model. */
const WAITING = 16

export type StartNodeParameters = {
  network: Network
  client: PublicClient
  /** Sends as the operator: proposes the enclave's key. */
  sender: Sender
  /** The node's own folder: receipts, evidence. */
  dataDir: string
  /** Folder of the simulated root; `dataDir` by default. Its hash must be approved on the chain. */
  rootDir?: string | undefined
  /** 0 = any free port. */
  port: number
  /** URL under which others reach this node; the local one by default. */
  publicUrl?: string | undefined
  /** Whether the development model runs here; by default it does. */
  local?: boolean | undefined
  /** Compiled circuits (.azk) that are served, and whose answers are proved. */
  circuits?: readonly string[] | undefined
  /** Models that other servers run. */
  upstreams?: readonly UpstreamModel[] | undefined
  env?: Record<string, string | undefined> | undefined
  threads?: 1 | 2 | undefined
  /** Answers at one time, and how many more may wait. */
  concurrency?: number | undefined
  waiting?: number | undefined
  /** Least price of a receipt that the node forces in where its gateway does not, OPG base units; 'never' for none. */
  forceMinPrice?: bigint | 'never' | undefined
  log?: ((event: string, facts: Record<string, unknown>) => void) | undefined
}

export type RunningNode = {
  url: string
  operator: Address
  /** Signing key of now: the enclave's, where there is one. */
  readonly key: Address
  /** Resolves when the key is admitted and the node serves. */
  ready: Promise<void>
  /** Draws another key; resolves when receipts are signed by it. Does nothing where there is no enclave. */
  rotate: () => Promise<void>
  close: () => Promise<void>
}

/**
 * Starts an inference node: weights, enclave, HTTP, registration. It listens at once and answers 503 until validators
 * admitted its key. @throws AssayError `unreachable` (weights, chain) | `config`
 */
export async function startNode(parameters: StartNodeParameters): Promise<RunningNode> {
  const { network, client, sender, dataDir, env, log = () => undefined } = parameters
  const { local = true, waiting = WAITING, upstreams = [], circuits = [] } = parameters
  const deployment = deploymentOf(network)
  const operator = sender.address.toLowerCase() as Address
  mkdirSync(dataDir, { recursive: true })

  const models: ServedModel[] = [
    ...(local ? [await startLocalModel(parameters)] : []),
    ...(await Promise.all(
      circuits.map(async (file): Promise<ServedModel> => {
        const { manifest, engine } = await startCircuitEngine(file)
        const queue = createQueue({ concurrency: engine.concurrency, waiting })
        return { modelId: modelIdOf(manifest), manifest, engine, queue }
      }),
    )),
    ...upstreams.map(({ manifest, engine }) => ({
      modelId: modelIdOf(manifest),
      manifest,
      engine: startUpstreamEngine(engine),
      queue: createQueue({ concurrency: engine.concurrency, waiting }),
    })),
  ]
  const closeEngines = async (): Promise<void> => {
    for (const { engine } of models) await engine.close()
  }
  if (models.length === 0) {
    throw new AssayError('This node has no model to serve.', {
      code: 'config',
      next: 'Name upstream models in ASSAY_UPSTREAMS or circuits in ASSAY_CIRCUITS, or leave ASSAY_LOCAL_MODEL out.',
    })
  }
  const engineClasses = attestedClasses(models)
  // A node that only stands in front of other servers has nothing for an enclave to attest.
  const attester =
    engineClasses === 0
      ? undefined
      : await chooseAttester(env ?? process.env, parameters.rootDir ?? dataDir).catch(
          async (error: unknown) => {
            await closeEngines()
            throw error
          },
        )
  const evidence = await openEvidenceStore(dataDir)
  const receipts = openReceiptStore(dataDir)
  const chain = await watchChain({
    client,
    network,
    modelIds: models.map(({ modelId }) => modelId),
    onError: (error) => log('chain_unreadable', { reason: reasonOf(error) }),
  }).catch(async (cause: unknown) => {
    receipts.close()
    await closeEngines()
    throw new AssayError('The chain does not answer.', {
      code: 'unreachable',
      facts: { rpcUrl: network.rpcUrl, reason: reasonOf(cause) },
      next: 'Check that the network is up: assay status',
      cause,
    })
  })

  const bonded = models.some(({ engine }) => engine.engineClass === ENGINE_CLASS.unattested)
    ? createBondedKey()
    : undefined
  /** Of the bonded key, where there is one. */
  const registrations: Registration[] = []
  const signBonded =
    bonded === undefined
      ? undefined
      : createReceiptSigner({
          ...{ signer: bonded, node: operator, deployment },
          validFrom: () => registrations[0]?.validFrom() ?? 0n,
        })

  const sealedKeys = sealedKeysOf(upstreams)
  const proving = startProving({ models, store: receipts.proofs, log })
  // The server's address is part of what is registered, so it listens before there is a key.
  let ring: KeyRing | undefined
  const { profile } = network
  let listing: TeeListing | undefined
  const server = await startServer({
    port: parameters.port,
    operator,
    deployment,
    token: network.contracts.OPG,
    escrow: network.contracts.InferenceEscrow,
    identity: () => {
      const enclave = ring?.current().enclave
      if (enclave !== undefined) return enclave
      return { key: bonded?.key, hardware: attester?.kind ?? 'none', simulated: attester?.simulated ?? false }
    },
    keyOf: (engineClass) =>
      engineClass === ENGINE_CLASS.unattested ? bonded?.key : ring?.current().enclave.key,
    confidential: () => ring?.confidential() ?? [],
    chain,
    models: new Map(models.map((served) => [served.manifest.name, served])),
    sealedKeys,
    receipts,
    evidence,
    sign(answer) {
      const sign = answer.mode === MODE.bonded ? signBonded : ring?.sign
      if (sign === undefined) throw new Error('unreachable: every model has the key that its class needs')
      return sign(answer)
    },
    onProvable: proving.wake,
    isKeyValid: () =>
      (attester === undefined || ring?.isValid() === true) &&
      registrations.every((registration) => registration.isValid()),
    log,
    openGradient:
      profile === undefined || attester === undefined
        ? undefined
        : openGradientRoom({
            ...{ network, profile },
            enclave: () => ring?.current().enclave,
            listing: () => listing,
          }),
  }).catch(async (error: NodeJS.ErrnoException) => {
    chain.close()
    await proving.stop()
    receipts.close()
    await closeEngines()
    if (error.code !== 'EADDRINUSE') throw error
    throw new AssayError(`Port ${parameters.port} is taken.`, {
      code: 'config',
      next: 'Stop what listens there, or set ASSAY_PORT to another port.',
    })
  })

  const url = parameters.publicUrl ?? server.url
  // Where a bond knows another URL, clients that look the operator up would miss us.
  const announce = (): Promise<void> => publishUrl({ client, sender, network, url })
  const register = (enclave: Enclave): Registration => {
    const registry = keyRegistryOf({
      client,
      sender,
      network,
      enclave,
      makeEvidence: async () => {
        await announce()
        const anchor = chain.anchor()
        if (anchor === undefined) throw new Error('no block of the chain was read yet')
        return evidence.save(await enclave.evidence(deployment, operator, anchor))
      },
      evidenceUri: (evidenceHash) => `${url}/v1/evidence/${evidenceHash}`,
    })
    return keepRegistered({ registry, key: enclave.key, node: operator, log })
  }
  let forcing: ReturnType<typeof startForcing> | undefined
  const close = async (): Promise<void> => {
    await listing?.close()
    ring?.close()
    for (const registration of registrations) registration.close()
    await forcing?.stop()
    await server.close()
    await proving.stop()
    chain.close()
    receipts.close()
    await closeEngines()
  }
  if (attester !== undefined) {
    const open = (): Promise<Enclave> =>
      openEnclave({ attester, engineClasses, withTeeKey: profile !== undefined })
    ring = await openKeyRing({ open, register, node: operator, deployment, log }).catch(
      async (error: unknown) => {
        await close()
        throw error
      },
    )
  }
  if (profile !== undefined && attester !== undefined) {
    const admitted = () => (ring?.isValid() === true ? ring.current().enclave : undefined)
    listing = listTee({ client, sender, network, profile, admitted, log })
  }
  if (bonded !== undefined) {
    const registry = bondedKeyRegistryOf({ client, sender, network, bonded, announce })
    registrations.push(keepRegistered({ registry, key: bonded.key, node: operator, log }))
  }
  forcing = startForcing({
    client,
    sender,
    network,
    store: receipts.inclusions,
    minPrice: parameters.forceMinPrice,
    log,
  })
  const identity = (): Pick<Enclave, 'key' | 'hardware' | 'simulated'> =>
    ring?.current().enclave ?? { key: (bonded as BondedKey).key, hardware: 'none', simulated: false }
  const { key, hardware, simulated } = identity()
  log('listening', { url, operator, key, hardware, simulated })
  if (sealedKeys.size > 0) log('provider_keys_awaited', { names: [...sealedKeys.keys()] })

  return {
    url: server.url,
    operator,
    get key() {
      return identity().key
    },
    ready: Promise.all([ring?.ready, ...registrations.map(({ ready }) => ready)]).then(() => undefined),
    rotate: async () => ring?.rotate(),
    close,
  }
}

/** Keys that the models wait for, by name. */
function sealedKeysOf(upstreams: readonly UpstreamModel[]): Map<string, SealedKey> {
  const keys = upstreams.flatMap(({ engine }) => engine.targets.map(({ key }) => key))
  return new Map(keys.flatMap((key) => (key instanceof SealedKey ? [[key.name, key] as const] : [])))
}

/** Engine classes of the models that the enclave's key signs for, bit i = class i. */
function attestedClasses(models: readonly ServedModel[]): number {
  return models.reduce(
    (bits, { engine: { engineClass } }) =>
      engineClass === ENGINE_CLASS.unattested ? bits : bits | (1 << engineClass),
    0,
  )
}

/** The development model in this process. */
async function startLocalModel(parameters: StartNodeParameters): Promise<ServedModel> {
  const { env, threads = 1, concurrency = 2, waiting = WAITING, log = () => undefined } = parameters
  const { path } = await pullModel({
    env,
    onProgress: ({ source, state, message }) => {
      if (state === 'ready' || state === 'failed') log('model', { source, state, message })
    },
  })
  return {
    modelId: SMOLLM2_MODEL_ID,
    manifest: SMOLLM2_MANIFEST,
    engine: await startLlamaEngine({ path, manifest: SMOLLM2_MANIFEST, threads, concurrency }),
    queue: createQueue({ concurrency, waiting }),
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] ?? error.name) : String(error)
}
