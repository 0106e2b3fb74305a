/** Three gateways and four nodes on one PostgreSQL and one chain, with a wire that can be cut between any two of them. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import {
  bondDevelopmentOperator,
  createSender,
  DEVELOPMENT_ROLES,
  type DevelopmentAccount,
  type Devnet,
  developmentAccount,
  saveNetwork,
  startDeployedDevnet,
} from '@assay/chain'
import { modelIdOf, modelRegistryAbi, type Network, opgAbi, PERMIT2_ADDRESS } from '@assay/protocol'
import { createApiKey, openGrant } from '@assay/sdk'
import { type Hex, maxUint256, parseEther } from 'viem'
import { freePorts } from '../freePorts.ts'
import { type PostgresServer, startPostgres } from '../postgres/startPostgres.ts'
import { temporaryFolder } from '../temporaryFolder.ts'
import { until } from '../until.ts'
import { type Server, startServer } from './server.ts'
import { startUpstream } from './upstream.ts'
import { startWire, type Wire } from './wire.ts'

const GATEWAYS = 3
/** The first is the development node; the others are accounts of the development phrase with no other part. */
const NODE_ACCOUNTS = [DEVELOPMENT_ROLES.node, 12, 13, 14]
/** Who pays: the demo account, and others with no other part. */
const PAYER_ACCOUNTS = [DEVELOPMENT_ROLES.demo, 15, 16, 17]
/** What each of the others is given, OPG base units. */
const PAYER_OPG = parseEther('1000')
/** Of the grant that API keys are under, OPG base units. */
const DEPOSIT = parseEther('100')
/** OPG base units per call, input and output token. */
const PRICE = [10n ** 14n, 10n ** 12n, 2n * 10n ** 12n] as const

export type World = {
  /** As a client of one gateway knows it. */
  networkOf(gateway: Server): Network
  network: Network
  payers: readonly DevelopmentAccount[]
  /** Under a grant of the first payer, with a deposit. */
  key: { secret: string; grantId: Hex }
  devnet: Devnet
  postgres: PostgresServer
  databaseUrl: string
  gateways: Server[]
  nodes: Server[]
  /** By what they connect a gateway to. */
  wires: { name: string; to: 'database' | 'node' | 'chain'; wire: Wire }[]
  /** Requests that a gateway charged by a node's copy of the receipt, as their logs say. */
  recovered: Set<Hex>
  /** Resolves when every server answers. */
  allHealthy(): Promise<void>
  close(): Promise<void>
}

export async function startWorld(): Promise<World> {
  const closers: (() => Promise<void> | void)[] = []
  const close = async () => {
    for (let next = closers.pop(); next !== undefined; next = closers.pop()) await next()
  }
  try {
    return await assemble(closers, close)
  } catch (error) {
    await close()
    throw error
  }
}

async function assemble(closers: (() => Promise<void> | void)[], close: () => Promise<void>): Promise<World> {
  const folder = temporaryFolder('history')
  const upstream = await startUpstream()
  closers.push(() => upstream.close())
  const postgres = await startPostgres()
  closers.push(() => postgres.close())
  const databaseUrl = await postgres.createDatabase()
  const base = await freePorts(GATEWAYS + NODE_ACCOUNTS.length)
  const urlOf = (at: number) => `http://127.0.0.1:${base + at}`
  const nodeUrls = NODE_ACCOUNTS.map((_, at) => urlOf(GATEWAYS + at))
  const { devnet, ...deployed } = await startDeployedDevnet(folder, {
    nodeUrl: nodeUrls[0],
    gatewayUrl: urlOf(0),
    durable: false,
  })
  closers.push(() => devnet.close())

  const { manifest, upstreams } = describeModel(folder, upstream.baseUrl)
  const network = await withNodes(deployed.network, nodeUrls)
  const model = { name: manifest.name, modelId: modelIdOf(manifest), contextLength: 256, modes: ['bonded'] }
  network.models = [model as Network['models'][number]]
  await createSender({
    network,
    privateKey: developmentAccount(DEVELOPMENT_ROLES.publisher).privateKey,
  }).send({
    address: network.contracts.ModelRegistry,
    abi: modelRegistryAbi,
    functionName: 'publish',
    args: [model.modelId, 'model.json', model.modelId, ...PRICE],
  })

  const payers = PAYER_ACCOUNTS.map(developmentAccount)
  await fundPayers(network, payers)
  const networkFile = path.join(folder, 'network.json')
  saveNetwork(networkFile, network)
  const nodes = NODE_ACCOUNTS.map((account, at) =>
    startServer({
      name: `node ${at + 1}`,
      package: 'node',
      port: base + GATEWAYS + at,
      environment: {
        ASSAY_NETWORK: networkFile,
        ASSAY_KEY: developmentAccount(account).privateKey,
        ASSAY_DATA: path.join(folder, `node-${at + 1}`),
        ASSAY_UPSTREAMS: upstreams,
        ASSAY_LOCAL_MODEL: 'off',
        // Gateways are to batch what they promised; a node that forces its receipts in would hide that they did not.
        ASSAY_FORCE_MIN_PRICE: 'never',
      },
      log: path.join(folder, `node-${at + 1}.log`),
    }),
  )
  closers.push(async () => void (await Promise.all(nodes.map((node) => node.close()))))

  const wires: World['wires'] = []
  async function wire(from: string, to: World['wires'][number]['to'], target: number): Promise<number> {
    const made = await startWire(target)
    wires.push({ name: `${from} to ${to}`, to, wire: made })
    closers.push(() => made.close())
    return made.port
  }
  const recovered = new Set<Hex>()
  function noteRecovered(line: string): void {
    if (line.includes('"receipt_recovered"'))
      recovered.add((JSON.parse(line) as { requestId: Hex }).requestId)
  }
  const gateways: Server[] = []
  const networks = new Map<Server, Network>()
  for (let at = 0; at < GATEWAYS; at++) {
    const name = `gateway ${at + 1}`
    const behindWires: Network = {
      ...network,
      gatewayUrl: urlOf(at),
      rpcUrl: `http://127.0.0.1:${await wire(name, 'chain', devnet.port)}`,
      nodes: [],
    }
    for (const [index, { operator }] of network.nodes.entries()) {
      const port = await wire(name, 'node', base + GATEWAYS + index)
      behindWires.nodes.push({ operator, url: `http://127.0.0.1:${port}` })
    }
    const file = path.join(folder, `gateway-${at + 1}.json`)
    saveNetwork(file, behindWires)
    const database = databaseUrl.replace(
      String(postgres.port),
      String(await wire(name, 'database', postgres.port)),
    )
    const server = startServer({
      name,
      package: 'gateway',
      port: base + at,
      environment: {
        ASSAY_NETWORK: file,
        ASSAY_KEY: developmentAccount(DEVELOPMENT_ROLES.gateway).privateKey,
        ASSAY_DATA: path.join(folder, `gateway-${at + 1}`),
        DATABASE_URL: database,
      },
      log: path.join(folder, `gateway-${at + 1}.log`),
      onLine: noteRecovered,
    })
    gateways.push(server)
    networks.set(server, { ...network, gatewayUrl: urlOf(at) })
  }
  closers.push(async () => void (await Promise.all(gateways.map((gateway) => gateway.close()))))

  const servers = [...nodes, ...gateways]
  async function allHealthy(): Promise<void> {
    const healthy = async () =>
      (await Promise.all(servers.map((server) => server.isHealthy()))).every(Boolean)
    await until(healthy, () => {
      const tails = servers.map(({ name, tail }) => `${name}: ${tail.slice(-3).join('\n  ')}`)
      return `every server to be healthy:\n${tails.join('\n')}`
    })
  }
  await allHealthy()
  const key = await openKey({ ...network, gatewayUrl: urlOf(0) }, payers[0] as DevelopmentAccount)
  // The nodes' keys and the deposit are in the last few blocks: a reorganisation must not take them.
  await devnet.snapshot()
  return {
    networkOf: (gateway) => networks.get(gateway) as Network,
    network,
    payers,
    key,
    devnet,
    postgres,
    databaseUrl,
    gateways,
    nodes,
    wires,
    recovered,
    allHealthy,
    close,
  }
}

function describeModel(folder: string, baseUrl: string) {
  const name = 'history'
  const target = { provider: 'openai-compatible', baseUrl, model: 'theirs' }
  const upstreams = path.join(folder, 'upstreams.json')
  writeFileSync(
    upstreams,
    JSON.stringify({ models: [{ name, contextLength: 256, concurrency: 64, targets: [target] }] }),
  )
  const manifest = {
    name,
    engine: 'upstream:openai-compatible:theirs',
    files: [],
    contextLength: 256,
    license: 'LicenseRef-provider',
    modes: ['bonded' as const],
  }
  return { manifest, upstreams }
}

/** Bonds the nodes that the bootstrap does not; no validator of this world is asked over HTTP. */
async function withNodes(network: Network, nodeUrls: readonly string[]): Promise<Network> {
  const nodes = NODE_ACCOUNTS.map((index, at) => ({ index, url: nodeUrls[at] ?? '' }))
  for (const node of nodes.slice(1)) await bondDevelopmentOperator(network, node)
  return {
    ...network,
    nodes: nodes.map(({ index, url }) => ({ operator: developmentAccount(index).address, url })),
    validators: [],
  }
}

/** An API key for clients that can send nothing else, and the deposit that pays for them. */
async function openKey(network: Network, { privateKey }: DevelopmentAccount): Promise<World['key']> {
  const { grantId, grant } = await openGrant({
    network,
    privateKey,
    maxTotal: DEPOSIT,
    maxPerCall: DEPOSIT,
    expiry: 2n ** 40n,
    deposit: DEPOSIT,
  })
  return { secret: await createApiKey(network, privateKey, grant), grantId }
}

/** The first has everything it needs from the bootstrap. */
async function fundPayers(network: Network, [, ...others]: readonly DevelopmentAccount[]): Promise<void> {
  const opg = { address: network.contracts.OPG, abi: opgAbi } as const
  const { privateKey } = developmentAccount(DEVELOPMENT_ROLES.deployer)
  const bank = createSender({ network, privateKey })
  await Promise.all(
    others.map(async (payer) => {
      await bank.send({ ...opg, functionName: 'transfer', args: [payer.address, PAYER_OPG] })
      const own = createSender({ network, privateKey: payer.privateKey })
      await own.send({ ...opg, functionName: 'approve', args: [PERMIT2_ADDRESS, maxUint256] })
    }),
  )
}
